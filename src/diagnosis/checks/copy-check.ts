/**
 * Copies that the kernel refused: to or from user space beyond the object (CONFIG_HARDENED_USERCOPY, mm/usercopy.c), and memcpy() and its kind
 * beyond what the compiler knows of the destination (CONFIG_FORTIFY_SOURCE, lib/string_helpers.c). Row 7 of the catalogue.
 *
 *   usercopy_abort ◄ __check_heap_object ◄ __check_object_size(ptr, n, to_user) ◄ gadget_read
 *   fortify_panic(name)                           until 6.8
 *   __fortify_panic(reason, avail, size)          6.9 and newer; __fortify_report() warns with the same
 */

import { hex16, virtual } from "../../bytes/address.ts";
import { stateText } from "../../identity/describe.ts";
import { readLog } from "../../linux/printk.ts";
import type { DiagnosisContext } from "../context.ts";
import type { Detector } from "../detector.ts";
import type { FaultCase } from "../fault/fault-case.ts";
import { slabRole } from "../fault/samples.ts";
import { tryIdentify } from "../fault/try-identify.ts";
import { faultEvidence, functionText, plainName, stateChecks } from "../fault/words.ts";
import type { Finding } from "../finding.ts";
import { guarded } from "../guarded.ts";
import type { Check } from "../verdict.ts";
import { type Argument, argumentOf, loadedFrom, objectAt, pointeeOf } from "./argument.ts";
import { blameOf } from "./blame.ts";
import { framesOf, placeOfBlame, type TrapCase, trapCase } from "./trap-case.ts";
import { formatBefore, textAt } from "./warn-format.ts";

export const copyCheck: Detector = {
  name: "refused copy",
  classes: ["out-of-bounds"],
  needs: ["the trap of usercopy_abort() or fortify_panic() and what was passed to the check"],
  refutedBy: ["the copy ends within the object"],
  appliesTo: ({ subject }) => subject.event === undefined || subject.event.kind === "bug" || subject.event.kind === "warning",
  detect(context) {
    const found = trapCase(context);
    if (found === undefined) return [];
    if (/^(?:usercopy_abort|report_usercopy)$/.test(found.trapped)) return userCopy(context, found);
    if (/^(?:__)?fortify_(?:panic|report)$/.test(found.trapped)) return [fortified(found)];
    const format = [warnedOf(found), ...printedBefore(context)].find((each) => each !== undefined && SPANNING.test(each));
    return found.kind === "warning" && format !== undefined ? [spanning(context, found, format)] : [];
  },
};

/** memcpy() over more than the member it was given: a WARN() in the copying function itself (include/linux/fortify-string.h, 6.1 and newer). */
const SPANNING =
  /^(\w+): detected field-spanning write \(size (?:%zu|(\d+))\) of single (?:field|%s)(?: "([^"]+)")?.*?(?:\(size (\d+)\))?$/s;

function warnedOf({ fault, kind, entry }: TrapCase): string | undefined {
  const trap = fault.activations.at(0);
  return kind !== "warning" ? undefined : (entry?.format ?? (trap === undefined ? undefined : formatBefore(fault, trap)));
}

/** What the log has right before the warning's own line: what WARN() printed. */
function printedBefore({ kernel, subject: { event } }: DiagnosisContext): readonly string[] {
  if (event === undefined) return [];
  return (
    guarded(() =>
      readLog(kernel)
        .records.slice(Math.max(0, event.index - 4), event.index + 1)
        .map(({ text }) => text),
    ) ?? []
  );
}

function spanning(context: DiagnosisContext, found: TrapCase, format: string): Finding {
  const { fault, blame } = found;
  const frames = framesOf(found);
  const printed = printedBefore(context).find((line) => SPANNING.test(line));
  const [, name, size, member, room] = SPANNING.exec(printed ?? format) ?? [];
  const how = size === undefined || room === undefined ? "" : `: ${size} bytes, where ${room} fit`;
  const over = member === undefined ? "a member of a structure" : member;
  return {
    class: "out-of-bounds",
    title: `${functionText(blame.activation)} calls ${name ?? "memcpy"}() beyond the end of ${over}${how}`,
    checks: [...stateChecks(fault), { what: "the check of the member's size failed (fortify)", result: "held" }],
    depth: "mechanism",
    place: placeOfBlame(blame, frames),
    frames,
    access: { kind: "write", ...(size === undefined ? {} : { size: Number(size) }) },
    story: [
      `${functionText(blame.activation)} wrote over ${over} and on into what lies behind it in the same structure${how}. The kernel only warns of that, for some code means it.`,
      ...(found.kind === "warning" ? ["The kernel is set to panic at a warning (panic_on_warn)."] : []),
    ],
    evidence: [
      ...(printed === undefined ? [] : [{ claim: `the log says: ${printed}`, command: "log | grep 'field-spanning write'", values: [] }]),
      ...faultEvidence(fault),
    ],
  };
}

const CHECKING = /^__check_(?:heap_)?object(?:_size)?$/;

/** What was to be copied, of the outermost check on the stack: it was called by the code that copies. */
function checkedCopy(
  fault: FaultCase,
): { readonly level: number; readonly from: Argument; readonly size?: Argument; readonly toUser?: boolean } | undefined {
  for (let level = 4; level > 0; level--) {
    const activation = fault.activations.at(level);
    if (activation === undefined || plainName(activation.function) !== "__check_object_size") continue;
    const from = argumentOf(fault, level, 0);
    const size = argumentOf(fault, level, 1);
    const toUser = argumentOf(fault, level, 2)?.value;
    if (from === undefined) return undefined;
    return { level, from, ...(size === undefined ? {} : { size }), ...(toUser === undefined ? {} : { toUser: (toUser & 1n) === 1n }) };
  }
  return undefined;
}

function userCopy({ kernel, subject }: DiagnosisContext, { fault }: TrapCase): Finding[] {
  const copy = checkedCopy(fault);
  let level = copy === undefined ? 0 : copy.level + 1;
  if (copy === undefined) while (CHECKING.test(plainName(fault.activations.at(level)?.function ?? "")) || level === 0) level++;
  const blame = blameOf(fault.activations, level);
  if (blame === undefined) return [];
  const frames = framesOf({ fault, blame });
  const slab = copy === undefined ? undefined : slabRole(tryIdentify(kernel, copy.from.value));
  const size = copy?.size?.value;
  const checks: Check[] = [...stateChecks(fault)];
  if (slab !== undefined && size !== undefined) {
    const past = BigInt(slab.offset) + size > BigInt(slab.objectSize) || slab.offset < 0;
    checks.push({
      what: `${size} bytes from offset ${slab.offset} of an object of ${slab.objectSize} (${slab.cache})`,
      // Within the object it may still be beyond the part that the cache allows (useroffset, usersize).
      result: past ? "held" : "not possible",
    });
  } else checks.push({ what: "the object that was to be copied is known", result: "not possible" });
  const direction = copy?.toUser === undefined ? "copies" : copy.toUser ? "copies to user space" : "copies from user space";
  const many = size === undefined ? "" : ` ${size} bytes`;
  const what =
    slab === undefined ? (copy === undefined ? "memory" : hex16(copy.from.value)) : `an object of ${slab.objectSize} bytes (${slab.cache})`;
  const typed = typeOf(fault, copy);
  return [
    {
      class: "out-of-bounds",
      title: `${functionText(blame.activation)} ${direction}${many} ${copy?.toUser === false ? "over" : "of"} ${what}`,
      checks,
      depth: "mechanism",
      place: placeOfBlame(blame, frames),
      frames,
      access: {
        kind: copy?.toUser === false ? "write" : "read",
        ...(size === undefined || size > 1n << 40n ? {} : { size: Number(size) }),
      },
      ...(copy === undefined ? {} : { address: copy.from.value, object: objectAt(kernel, copy.from.value, typed) }),
      story: [
        `The kernel checks copies to and from user space: ${functionText(blame.activation)} asked for${many === "" ? " a copy" : many} at ${copy === undefined ? "?" : hex16(copy.from.value)}.`,
        ...(slab === undefined
          ? []
          : [
              `There lies the object at ${hex16(slab.object)} of ${slab.cache}, ${stateText(slab.state)}, of ${slab.objectSize} bytes; the copy begins ${slab.offset} bytes into it.`,
            ]),
        ...(copy?.size?.text === undefined ? [] : [`The size is ${copy.size.text}.`]),
      ],
      evidence: [
        ...(copy === undefined
          ? []
          : [{ claim: `${hex16(copy.from.value)} is what was to be copied`, command: `kmem ${hex16(copy.from.value)}`, values: [] }]),
        ...sizeEvidence(fault, copy?.size),
        ...faultEvidence(fault),
      ],
      ...(subject.task === undefined ? {} : { subject: { pid: subject.task.pid, comm: subject.task.comm } }),
    },
  ];
}

/** The member that the size came from, else the structure that was to be copied. */
function typeOf(fault: FaultCase, copy: ReturnType<typeof checkedCopy>): { readonly type?: string; readonly member?: string } {
  const size = copy?.size === undefined ? undefined : loadedFrom(fault, copy.size);
  if (size?.container !== undefined && size.member !== undefined) return { type: size.container, member: size.member };
  const pointee = copy === undefined ? undefined : pointeeOf(fault, copy.from);
  return pointee === undefined ? {} : { type: pointee };
}

function sizeEvidence(fault: FaultCase, size: Argument | undefined): Finding["evidence"] {
  const load = size === undefined ? undefined : loadedFrom(fault, size);
  if (load?.address === undefined || (load.size !== 4 && load.size !== 8)) return [];
  const value = fault.values.read(load.address, load.size);
  if (value === undefined) return [];
  return [
    {
      claim: `the size came from ${hex16(load.address)}, which holds ${value}`,
      command: `rd ${load.size === 4 ? "-32 " : ""}${hex16(load.address)} 1`,
      values: [{ address: virtual(load.address), value }],
    },
  ];
}

function fortified(found: TrapCase): Finding {
  const { fault } = found;
  const blame = blameOf(fault.activations, 1) ?? found.blame;
  const frames = framesOf({ fault, blame });
  const first = argumentOf(fault, 0, 0);
  const name = first === undefined || !fault.kernel.arch.isKernelAddress(first.value) ? undefined : textAt(fault.kernel, first.value, 3);
  const trap = fault.activations.at(0);
  const said = trap === undefined ? undefined : formatBefore(fault, trap);
  // (reason, avail, size) since 6.9: reason is a number, not a string.
  const isNew = first !== undefined && name === undefined && first.value < 0x1_0000n;
  const avail = isNew ? argumentOf(fault, 0, 1) : undefined;
  const size = isNew ? argumentOf(fault, 0, 2) : undefined;
  const told = sizeText(avail?.value, size?.value);
  const typed = size === undefined ? undefined : loadedFrom(fault, size);
  return {
    class: "out-of-bounds",
    title: `${functionText(blame.activation)} ${name === undefined ? "copies" : `calls ${name}()`} beyond the end of a buffer${told}`,
    checks: [...stateChecks(fault), { what: "the check of the compiler's sizes failed (fortify)", result: "held" }],
    depth: "mechanism",
    place: placeOfBlame(blame, frames),
    frames,
    access: { kind: "unknown", ...(size === undefined || size.value > 1n << 40n ? {} : { size: Number(size.value) }) },
    ...(typed?.base === undefined || typed.container === undefined
      ? {}
      : {
          object: objectAt(fault.kernel, typed.base, {
            type: typed.container,
            ...(typed.member === undefined ? {} : { member: typed.member }),
          }),
        }),
    story: [
      `${functionText(blame.activation)} ${name === undefined ? "used a function of strings or memory" : `called ${name}()`} with more bytes than the buffer has: the kernel checks that where the compiler knows the size (CONFIG_FORTIFY_SOURCE)${told}.`,
      ...(said === undefined ? [] : [`It was to print: ${said.replace(/\n/g, "")}`]),
    ],
    evidence: faultEvidence(fault),
  };
}

function sizeText(avail: bigint | undefined, size: bigint | undefined): string {
  if (avail === undefined || size === undefined) return "";
  return `: ${size} bytes, where ${avail} fit`;
}
