/**
 * A pointer to nowhere: not canonical, or to memory that is not mapped, and none of the values that tell what happened (NULL, error code,
 * poison). And an access that the page does not allow: a write to what is read-only.
 */

import { hex16, virtual } from "../../../bytes/address.ts";
import { briefText, regionText } from "../../../identity/describe.ts";
import { poisonOf } from "../../../linux/poison.ts";
import type { Finding } from "../../finding.ts";
import type { Check, Evidence } from "../../verdict.ts";
import { letters } from "../content-run.ts";
import type { FaultCase } from "../fault-case.ts";
import { type FaultDetector, has } from "../fault-detector.ts";
import { perCpuCopy, perCpuText } from "../per-cpu-pointer.ts";
import { readOnlyAccess } from "../read-only-access.ts";
import { siblingRate } from "../samples.ts";
import { sourceOf } from "../source-of.ts";
import { givenByProcess, type UserMemory, userMemory } from "../user-memory.ts";
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
import { ranOut } from "./stack-overflow.ts";

const USER_TOLD =
  "A program's pointer was used as it is: only copy_from_user(), get_user() and the like may touch user memory, and they check it first.";

function mappingEvidence({ vma, pid, comm }: UserMemory): Evidence {
  return {
    claim: `the mapping ${hex16(vma.start)}-${hex16(vma.end)} of ${comm} (${pid}) holds the address`,
    command: `vm ${pid} | grep ${vma.start.toString(16)}`,
    values: [],
  };
}

export const wildPointer: FaultDetector = {
  class: "wild-pointer",
  needs: ["operand", "bad value"],
  refutedBy: [
    "the value is NULL, an error code or a poison",
    "the memory is mapped in the dump and allows the access",
    "it is the function's own stack",
    "it is the number of a bit, and the bitmap is there",
  ],
  detect(fault: FaultCase): Finding | undefined {
    const { bad, kernel, access, state } = fault;
    if (!has(fault, wildPointer.needs) || bad === undefined || access.kind !== "memory" || ranOut(fault)) return undefined;
    const { address, culprit } = access;
    // The number of a bit is no pointer.
    if (culprit.index?.bits === true && culprit.index.register === bad.register) return undefined;
    if (isInFirstPage(kernel, bad.value) || isErrorPointer(bad.value) || poisonOf(bad.value) !== undefined) return undefined;
    if ((bad.origin?.steps ?? []).some(({ kind, value }) => value === 0n && kind !== "sum")) return undefined;
    const notCanonical = bad.identity.region === "non-canonical";
    const mapped = kernel.arch.isKernelAddress(address) && kernel.memory.tryBytes(virtual(address), 1) !== undefined;
    const forbidden = state.exception?.present === true;
    const user = userMemory(fault, address);
    const check: Check = notCanonical
      ? { what: `${hex16(bad.value)} is not canonical: no table can map it`, result: "held" }
      : user !== undefined
        ? { what: `${hex16(address)} lies in a mapping of the task's own user memory`, result: "held" }
        : forbidden
          ? { what: `${hex16(address)} is mapped and does not allow it`, result: mapped ? "held" : "not possible" }
          : { what: `${hex16(address)} is not mapped in the dump`, result: mapped ? "refuted" : "held" };
    const readOnly = mapped ? readOnlyAccess(fault) : undefined;
    const given = user === undefined ? undefined : givenByProcess(fault);
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
    const copy = perCpuCopy(kernel, bad.value);
    const text = readOnly === undefined && copy === undefined ? letters(bad.value) : undefined;
    const what = whatItIs(fault, user, readOnly?.text, copy !== undefined, text);
    const object = user === undefined ? accessedObject(fault) : undefined;
    return {
      class: "wild-pointer",
      title: `${functionText(fault.guilty)} ${accessPhrase(fault)} with ${name} = ${hex16(bad.value)}${readFrom(fault)}, ${what}`,
      checks: [
        ...stateChecks(fault),
        ...(readOnly?.checks ?? [check]),
        ...(given === undefined ? [] : [given.check]),
        ...local,
        ...(copy === undefined ? [] : [{ what: perCpuText(copy), result: "held" as const }]),
        ...((readOnly ?? given) !== undefined ? [] : [...openWays(fault), ...owner]),
      ],
      baseRate: siblingRate(
        kernel,
        source?.address,
        source?.size ?? 8,
        `${name} is no kernel address in other objects of the slab`,
        (word) => word !== 0n && !kernel.arch.isKernelAddress(word),
      ),
      rarity: true,
      ...(object === undefined ? {} : { object }),
      story: user === undefined ? (readOnly?.story ?? wildStory(copy, text)) : [USER_TOLD, ...(given === undefined ? [] : [given.story])],
      evidence: [...faultEvidence(fault), ...(user === undefined ? [] : [mappingEvidence(user)]), ...sourceEvidence(fault)],
    };
  },
};

function wildStory(copy: ReturnType<typeof perCpuCopy>, text: string | undefined): string[] {
  if (copy !== undefined)
    return [`The value is no address as it is: ${perCpuText(copy)}. Only this_cpu_ptr() or per_cpu_ptr() make an address of it.`];
  return text === undefined
    ? []
    : [`The value's bytes are the text "${text}": text was written where the pointer was, or the pointer was read from where text is.`];
}

/** What the value is, behind its number. */
function whatItIs(
  { bad }: FaultCase,
  user: UserMemory | undefined,
  readOnly: string | undefined,
  isPerCpu: boolean,
  text: string | undefined,
): string {
  if (user !== undefined) return `memory of ${user.comm}'s own user space${user.name === undefined ? "" : ` (${user.name})`}`;
  if (readOnly !== undefined) return readOnly;
  if (isPerCpu) return "a per-CPU pointer";
  if (text !== undefined) return `whose bytes are the text "${text}"`;
  if (bad === undefined || bad.identity.region === "non-canonical") return "which no address can be";
  return briefText(bad.identity) ?? regionText(bad.identity);
}
