/**
 * An error code in a pointer that nothing checked with IS_ERR() (include/linux/err.h): -1 to -4095. Small negative numbers are also what
 * container_of(NULL) gives: that is refuted by the arithmetic on the way, or by the members of the structure. Row 2 of the catalogue.
 */

import { errnoName } from "../../../linux/errno.ts";
import type { Finding } from "../../finding.ts";
import type { Check } from "../../verdict.ts";
import type { FaultCase } from "../fault-case.ts";
import { type FaultDetector, has } from "../fault-detector.ts";
import { siblingRate } from "../samples.ts";
import { sourceOf } from "../source-of.ts";
import { accessedObject, accessPhrase, faultEvidence, functionText, pointerName, readFrom, sourceEvidence, stateChecks } from "../words.ts";

const MAX_ERRNO = 4095n;

export function isErrorPointer(value: bigint): boolean {
  return value !== 0n && BigInt.asUintN(64, -value) <= MAX_ERRNO;
}

export const errorPointer: FaultDetector = {
  class: "err-pointer-dereference",
  needs: ["bad value"],
  refutedBy: ["container_of(NULL) made the value", "the number is no error code that the kernel knows"],
  detect(fault: FaultCase): Finding | undefined {
    const { bad, kernel, access } = fault;
    if (!has(fault, errorPointer.needs) || bad === undefined || !isErrorPointer(bad.value) || access.kind === "trap") return undefined;
    const errno = Number(BigInt.asUintN(64, -bad.value));
    const name = errnoName(errno);
    const steps = bad.origin?.steps ?? [];
    const fromNull = steps.some(({ kind, value }) => kind !== "sum" && value === 0n);
    const computed = steps.some(({ kind }) => kind === "sum");
    const checks: Check[] = [
      ...stateChecks(fault),
      { what: name === undefined ? `${errno} is no error code` : `${errno} is ${name}`, result: name === undefined ? "refuted" : "held" },
      fromNull
        ? { what: "container_of(NULL) made the value", result: "refuted" }
        : { what: "no arithmetic on the way made the value", result: bad.origin === undefined || computed ? "not possible" : "held" },
    ];
    const source = sourceOf(fault);
    const pointer = pointerName(fault);
    const producer = steps.find(({ kind }) => kind === "result")?.callee;
    const object = accessedObject(fault);
    return {
      class: "err-pointer-dereference",
      title: `${functionText(fault.guilty)} ${access.kind === "fetch" ? "calls a function" : accessPhrase(fault)} with ${pointer} = -${name ?? errno}${readFrom(fault)}`,
      checks,
      baseRate: siblingRate(
        kernel,
        source?.address,
        source?.size ?? 8,
        `${pointer} is an error code in other objects of the slab`,
        isErrorPointer,
      ),
      ...(object === undefined ? {} : { object }),
      story: producer === undefined ? [] : [`${producer} returned the error and nothing checked it with IS_ERR().`],
      evidence: [...faultEvidence(fault), ...sourceEvidence(fault)],
    };
  },
};
