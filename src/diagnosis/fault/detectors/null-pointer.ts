/**
 * A pointer that is NULL: the register is 0 and the operand adds a member's offset, or the register is a small offset or a small negative
 * number that arithmetic on NULL gave (&((struct T *)0)->member, container_of(NULL)). Row 1 of the catalogue.
 */

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

const MAX_MEMBER = 1n << 20n;

export const nullPointer: FaultDetector = {
  class: "null-pointer-dereference",
  needs: ["operand", "bad value"],
  refutedBy: [
    "the register is not 0, and no arithmetic on NULL made it",
    "the value is an error code in a pointer",
    "the index is the bad one, the base is an address",
  ],
  detect(fault: FaultCase): Finding | undefined {
    const { bad, kernel, access, path } = fault;
    if (!has(fault, nullPointer.needs) || bad === undefined || access.kind !== "memory") return undefined;
    const origin = bad.origin?.steps ?? [];
    const wasNull = origin.some(({ kind, value }) => kind !== "sum" && value === 0n);
    const isNull = bad.value === 0n && access.address < MAX_MEMBER;
    const isNear = isInFirstPage(kernel, bad.value) && isInFirstPage(kernel, access.address);
    if (!isNull && !isNear && !wasNull) return undefined;
    const checks: Check[] = [
      ...stateChecks(fault),
      isNull || wasNull
        ? { what: wasNull && !isNull ? "arithmetic on NULL made the value" : `${bad.register ?? "the address"} is 0`, result: "held" }
        : bad.register === undefined
          ? { what: "the instruction holds the address as a constant, which is a member's offset from NULL", result: "held" }
          : { what: "a small number: NULL and a member's offset, or an index", result: path?.object === 0n ? "held" : "not possible" },
    ];
    // A NULL that was computed, passed or returned is what it is; one out of memory is only as good as that memory.
    const end = origin.at(-1);
    if (end?.kind === "load" && end.load?.comparison === "address unknown") checks.push(...openWays(fault));
    const { culprit } = access;
    if (culprit.base !== undefined && culprit.index !== undefined && bad.register === culprit.index.register) {
      checks.push({ what: `the base ${culprit.base.register} is an address, the index is 0`, result: "refuted" });
    }
    const source = sourceOf(fault);
    const name = pointerName(fault);
    const rate = siblingRate(
      kernel,
      source?.address,
      source?.size ?? 8,
      `${name} is NULL in other objects of the slab`,
      (word) => word === 0n,
    );
    const object = accessedObject(fault);
    return {
      class: "null-pointer-dereference",
      title: `${functionText(fault.guilty)} ${accessPhrase(fault)} with ${name} = NULL${readFrom(fault)}`,
      checks,
      baseRate: rate,
      ...(object === undefined ? {} : { object }),
      story: story(fault, rate.tried, rate.fired),
      evidence: [...faultEvidence(fault), ...sourceEvidence(fault)],
    };
  },
};

function story({ bad }: FaultCase, tried: number, fired: number): string[] {
  const end = bad?.origin?.steps.at(-1);
  const told: string[] = [];
  if (bad?.register === undefined)
    told.push("The instruction holds the address as a constant: the code itself had the pointer as NULL; no caller passed it.");
  else if (end?.kind === "constant") told.push("The code itself set it to NULL; no caller passed it.");
  else if (end?.kind === "result") told.push(`${end.callee ?? "A call"} returned NULL and nothing checked it.`);
  if (tried > 0) told.push(`Of ${tried} other objects in the same slab ${fired} have NULL there.`);
  return told;
}
