/**
 * A function returned to an address that is no return address: its frame was written over. Rows 4 and 15 of the catalogue. The canary that
 * would tell it earlier is missed when a store goes past it, or the function has none.
 */

import { hex16, virtual } from "../../../bytes/address.ts";
import { briefText } from "../../../identity/describe.ts";
import type { Finding } from "../../finding.ts";
import type { Check } from "../../verdict.ts";
import { calledDownTo } from "../called-down-to.ts";
import { contentRun } from "../content-run.ts";
import type { FaultCase } from "../fault-case.ts";
import { type FaultDetector, has } from "../fault-detector.ts";
import { lastEntered } from "../last-entered.ts";
import { returnedFrom } from "../returned-from.ts";
import { faultEvidence, plainName, stateChecks } from "../words.ts";

export const stackCorruption: FaultDetector = {
  class: "stack-corruption",
  needs: ["fetch", "bad value"],
  refutedBy: ["a call led there", "the return address is code"],
  detect(fault: FaultCase): Finding | undefined {
    const { access, bad, kernel, state, subject } = fault;
    if (!has(fault, stackCorruption.needs) || access.kind !== "fetch" || access.returned !== true || bad === undefined) return undefined;
    const { sp } = state.registers;
    const isArm = kernel.arch.name === "aarch64";
    // The instruction itself faulted on x86-64 when the address is not canonical: nothing was taken off the stack yet.
    const isTaken = access.call === undefined;
    const above = sp === undefined ? undefined : BigInt.asUintN(64, isTaken || isArm ? sp : sp + 8n);
    const entered = !isTaken || above === undefined ? undefined : lastEntered(kernel, above, state.registers);
    const from = entered !== undefined || above === undefined ? undefined : returnedFrom(kernel, above);
    const slot = above === undefined || isArm ? undefined : BigInt.asUintN(64, above - 8n);
    const run = slot === undefined ? undefined : contentRun(kernel, slot, bad.value);
    const called =
      !isTaken || from !== undefined || entered !== undefined || above === undefined
        ? undefined
        : calledDownTo(kernel, above, state.registers, subject.cpu, subject.task?.address);
    const known = !isTaken ? { function: fault.guilty.function, module: fault.guilty.module } : (from ?? called ?? entered);
    const name =
      known === undefined ? "a function" : `${plainName(known.function)}${known.module === undefined ? "" : ` [${known.module}]`}`;
    const checks: Check[] = [
      ...stateChecks(fault),
      { what: `no call led to ${hex16(bad.value)}, a return did`, result: "held" },
      { what: `${hex16(bad.value)} is no code: ${briefText(bad.identity) ?? bad.identity.region}`, result: "held" },
      // On x86-64 the exception's own frames lie over what the function left below.
      ...(known === undefined
        ? [{ what: "what lies below on the stack was left by the function that returned", result: "not possible" as const }]
        : []),
    ];
    return {
      class: "stack-corruption",
      title: `${name} returns to ${hex16(bad.value)}${run === undefined ? "" : `, which is ${run.text}`}: its frame was written over`,
      checks,
      depth: "cause",
      object: { type: "task stack", ...(slot === undefined ? {} : { address: slot }) },
      ...(known === undefined
        ? {}
        : { place: { function: plainName(known.function), ...(known.module === undefined ? {} : { module: known.module }) } }),
      story: [
        ...(called !== undefined
          ? [
              `The frame was that of ${name}: from the return address at ${hex16(called.at)}, the first that is whole, the calls ${called.chain.map(plainName).join(", ")} lead down to the stack pointer, and ${called.witness} is an address of its stack, as it leaves it.`,
            ]
          : entered !== undefined
            ? [`The frame was that of ${name}: ${entered.witnesses.join(", and ")}; it begins where the stack pointer is.`]
            : from === undefined
              ? ["What lay below on the stack does not tell whose frame it was."]
              : [
                  `The frame was that of ${name}: its last call left a return address at ${hex16(from.at)}, ${from.frame} bytes of frame below.`,
                ]),
        ...(run === undefined ? [] : [`${run.end - run.start} bytes of ${run.text} stand on the stack from ${hex16(run.start)} on.`]),
      ],
      evidence: [
        ...faultEvidence(fault),
        ...(slot === undefined || kernel.memory.tryU64(virtual(slot)) !== bad.value
          ? []
          : [
              {
                claim: `the stack holds ${hex16(bad.value)} where the return address should be`,
                command: `rd ${hex16(slot)} 1`,
                values: [{ address: slot, value: bad.value }],
              },
            ]),
        ...(called === undefined
          ? []
          : [{ claim: `the return address at ${hex16(called.at)} is whole`, command: `rd -s ${hex16(called.at)} 1`, values: [] }]),
        ...(subject.task === undefined || from === undefined
          ? []
          : [{ claim: `${name} was called last`, command: `rd -s ${hex16(from.at)} 1`, values: [] }]),
      ],
    };
  },
};
