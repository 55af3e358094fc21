/**
 * A pointer to nowhere: not canonical, or to memory that is not mapped, and none of the values that tell what happened (NULL, error code,
 * poison). And an access that the page does not allow: a write to what is read-only.
 */

import { hex16, virtual } from "../../../bytes/address.ts";
import { briefText, regionText } from "../../../identity/describe.ts";
import { poisonOf } from "../../../linux/poison.ts";
import type { Finding } from "../../finding.ts";
import type { Check } from "../../verdict.ts";
import type { FaultCase } from "../fault-case.ts";
import { type FaultDetector, has } from "../fault-detector.ts";
import { siblingRate } from "../samples.ts";
import { sourceOf } from "../source-of.ts";
import {
  accessedObject,
  accessPhrase,
  faultEvidence,
  functionText,
  isInFirstPage,
  openWays,
  pointerName,
  readFrom,
  sourceEvidence,
  stateChecks,
} from "../words.ts";
import { isErrorPointer } from "./error-pointer.ts";

export const wildPointer: FaultDetector = {
  class: "wild-pointer",
  needs: ["operand", "bad value"],
  refutedBy: [
    "the value is NULL, an error code or a poison",
    "the memory is mapped in the dump and allows the access",
    "it is the function's own stack",
  ],
  detect(fault: FaultCase): Finding | undefined {
    const { bad, kernel, access, state } = fault;
    if (!has(fault, wildPointer.needs) || bad === undefined || access.kind !== "memory" || state.kind === "stack overflow")
      return undefined;
    const { address } = access;
    if (isInFirstPage(kernel, bad.value) || isErrorPointer(bad.value) || poisonOf(bad.value) !== undefined) return undefined;
    if ((bad.origin?.steps ?? []).some(({ kind, value }) => value === 0n && kind !== "sum")) return undefined;
    const notCanonical = bad.identity.region === "non-canonical";
    const mapped = kernel.arch.isKernelAddress(address) && kernel.memory.tryBytes(virtual(address), 1) !== undefined;
    const forbidden = state.exception?.present === true;
    const check: Check = notCanonical
      ? { what: `${hex16(bad.value)} is not canonical: no table can map it`, result: "held" }
      : forbidden
        ? { what: `${hex16(address)} is mapped and does not allow it`, result: mapped ? "held" : "not possible" }
        : { what: `${hex16(address)} is not mapped in the dump`, result: mapped ? "refuted" : "held" };
    const local: Check[] =
      bad.origin?.end === "stack"
        ? [{ what: `${bad.register ?? "it"} points at a local of ${fault.guilty.function}`, result: "refuted" }]
        : [];
    const source = sourceOf(fault);
    // Whether another structure lies there, or a neighbour wrote over this one, only its type tells.
    const owner: Check[] =
      source?.base !== undefined && source.comparison === "same" && source.container === undefined
        ? [{ what: "the memory that the value was loaded from is what the code takes it for: no type is known", result: "not possible" }]
        : [];
    const name = pointerName(fault);
    const what = notCanonical ? "which no address can be" : (briefText(bad.identity) ?? regionText(bad.identity));
    const object = accessedObject(fault);
    return {
      class: "wild-pointer",
      title: `${functionText(fault.guilty)} ${accessPhrase(fault)} with ${name} = ${hex16(bad.value)}${readFrom(fault)}, ${what}`,
      checks: [...stateChecks(fault), check, ...local, ...openWays(fault), ...owner],
      baseRate: siblingRate(
        kernel,
        source?.address,
        source?.size ?? 8,
        `${name} is no kernel address in other objects of the slab`,
        (word) => word !== 0n && !kernel.arch.isKernelAddress(word),
      ),
      rarity: true,
      ...(object === undefined ? {} : { object }),
      story: [],
      evidence: [...faultEvidence(fault), ...sourceEvidence(fault)],
    };
  },
};
