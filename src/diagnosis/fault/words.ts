/** Sentences and evidence that several detectors share. */
import { hex16 } from "../../bytes/address.ts";
import { stateText } from "../../identity/describe.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { Check, Evidence, Verdict } from "../verdict.ts";
import { activationText, isIndex } from "./access-text.ts";
import type { Activation } from "./activation.ts";
import type { FaultCase } from "./fault-case.ts";
import { slabRole } from "./samples.ts";
import { sourceOf } from "./source-of.ts";
import { tryIdentify } from "./try-identify.ts";

/** "lab_slab_visit [lab_slab]", without what the compiler added to the name. */
export function functionText({ function: name, module }: Activation): string {
  return `${plainName(name)}${module === undefined ? "" : ` [${module}]`}`;
}

/** The function's name in the source: .isra, .constprop, .part and .cold are the compiler's. */
export function plainName(name: string): string {
  return name.replace(/\.(?:isra|constprop|part|cold)(?:\.\d+)?/g, "");
}

/** "reads request->segment->length", "writes struct lab_segment.length", "writes 4 bytes", "reads 8 bytes in a copy of 256 from it". */
export function accessPhrase(fault: FaultCase): string {
  const { path, bad } = fault;
  const verb = path?.access.kind === "read" ? "reads" : "writes";
  const whole = wholePhrase(path);
  if (path?.base !== undefined && path.member !== undefined) return `${verb} ${joined(path.base, path.member)}${whole}`;
  if (path?.container !== undefined && path.member !== undefined) return `${verb} ${path.container}.${path.member}${whole}`;
  const size = path?.access.size;
  const many = size === undefined ? "memory" : `${size} byte${size === 1 ? "" : "s"}`;
  // What an index is counted from is no offset.
  const offset = isIndex(fault) ? 0n : (bad?.offset ?? 0n);
  const at = offset === 0n ? "" : ` at offset ${offset < 0n ? "-" : ""}0x${(offset < 0n ? -offset : offset).toString(16)}`;
  return `${verb} ${many}${at}${whole}`;
}

/** Of a copy or a fill the whole of it. */
function wholePhrase(path: FaultCase["path"]): string {
  const { copy, access } = path ?? {};
  if (copy === undefined) return "";
  const total = copy.total === undefined ? "" : ` of ${copy.total} bytes`;
  return copy.kind === "fill" ? ` in a fill${total}` : ` in a copy${total} ${access?.kind === "read" ? "from" : "to"} it`;
}

/** "offset 0x38 of an object of kmalloc-1k (allocated)": where the bad value was read, when no type names that. */
export function untypedPlace(fault: FaultCase): string | undefined {
  const source = sourceOf(fault);
  if (source?.address === undefined || source.container !== undefined || source.variable !== undefined) return undefined;
  // What the code counted from, should the place lie behind its end.
  const role = slabRole(tryIdentify(fault.kernel, source.base ?? source.address));
  const offset = role === undefined ? -1n : source.address - role.object;
  if (role === undefined || role.offset < 0 || offset < 0n || offset > MAX_INTO) return undefined;
  return `offset 0x${offset.toString(16)} of an object of ${role.cache} (${role.state.state === "unknown" ? "state not known" : role.state.state})`;
}

/** Bytes from an object's start that are still told so. */
const MAX_INTO = 1n << 20n;

/** ", read from offset 0x38 of an object of kmalloc-1k (allocated)". */
export function readFrom(fault: FaultCase): string {
  const place = untypedPlace(fault);
  return place === undefined ? "" : `, read from ${place}`;
}

function joined(base: string, member: string): string {
  return member.startsWith("[") ? `${base}${member}` : `${base}->${member}`;
}

/** What the bad pointer is called: "request->segment", "the pointer". */
export function pointerName(fault: FaultCase): string {
  const { path, bad } = fault;
  if (path?.base !== undefined) return path.base;
  const source = sourceOf(fault);
  if (source?.variable !== undefined) return source.member === undefined ? source.variable : `${source.variable}.${source.member}`;
  if (source?.container !== undefined && source.member !== undefined) return `${source.container}.${source.member}`;
  const argument = bad?.origin?.steps.find(({ argument }) => argument !== undefined)?.argument;
  return argument ?? bad?.register ?? "a pointer";
}

/** Nothing is mapped there: the kernel itself calls a fault below its page size one of NULL (show_fault_oops(), die_kernel_fault()). */
export function isInFirstPage(kernel: Kernel, value: bigint): boolean {
  return value < BigInt(kernel.arch.pageSize);
}

/** How the registers came by and that they agree. */
export function stateChecks({ state, access }: FaultCase): Check[] {
  return [...state.checks, ...access.checks].map(({ what, agrees }) => ({ what, result: agrees ? "held" : "refuted" }));
}

const PC_IN_PT_REGS = { x86_64: 128n, aarch64: 256n } as const;

/** The instruction, and the registers it was struck with. */
export function faultEvidence(fault: FaultCase): Evidence[] {
  const { state, subject, kernel, access, activations, guilty } = fault;
  const found: Evidence[] = [];
  const at = activations.at(0) as Activation;
  const where = access.kind === "fetch" ? guilty : at;
  const instruction =
    access.kind === "memory" || access.kind === "trap" ? access.instruction : access.kind === "fetch" ? access.call : undefined;
  if (instruction !== undefined) {
    const what =
      access.kind === "memory" && access.shadow !== undefined
        ? `${instruction.mnemonic} looks at ${hex16(access.shadow)}, KASAN's shadow of ${hex16(access.address)}`
        : access.kind === "memory"
          ? `${instruction.mnemonic} ${access.culprit.text} touches ${hex16(access.address)}`
          : `${instruction.mnemonic} led there`;
    found.push({ claim: `in ${activationText(where)} ${what}`, command: `dis ${hex16(instruction.address)} 1`, values: [] });
  }
  if (subject.task !== undefined && state.at !== undefined) {
    const pc = state.at + PC_IN_PT_REGS[kernel.arch.name];
    found.push({
      claim: `the exception frame at ${hex16(state.at)} holds the registers of the fault`,
      command: `bt ${subject.task.pid === 0 ? hex16(subject.task.address) : subject.task.pid}`,
      values: [{ address: pc, value: state.pc }],
    });
  }
  if (subject.event !== undefined)
    found.push({ claim: `the log says: ${subject.event.text}`, command: logCommand(subject.event.text), values: [] });
  return found;
}

/** Enough of a line to find it by, without what a shell would take apart. */
export function logCommand(text: string): string {
  return `log | grep -F '${(/^[^']{1,48}/.exec(text)?.[0] ?? "").trimEnd()}'`;
}

/**
 * That nothing else than the value itself was wrong can only be said of a value whose way is known: one that was loaded from a place that is
 * lost may have been read out of freed memory, another structure or a neighbour. Empty when the way is known to its end.
 */
export function openWays({ bad }: FaultCase): Check[] {
  const last = bad?.origin?.steps.at(-1);
  // Told as "whether …" where it could not be checked.
  const open = (what: string): Check[] => [{ what, result: "not possible" }];
  if (last === undefined || last.kind === "lost")
    return bad?.register === undefined ? [] : open("what the value was computed from was sound");
  if (last.kind === "merge") return open("all but one of the values that meet there were sound");
  if (last.counted !== undefined) return open("the index that was added was sound, and the pointer wrong");
  if (last.kind !== "load" || last.load === undefined) return [];
  switch (last.load.comparison) {
    case "address unknown":
      // A variable is what it is, even where its address is not known (a copy for each CPU).
      if (last.load.variable !== undefined) return [];
      return open("the memory that the value was loaded from is what the code takes it for");
    case "unreadable":
      return open("the memory that the value was loaded from held it: it is not in the dump");
    case "changed":
      return open("the memory that the value was loaded from held it: it holds another one now");
    case "same":
      return [];
  }
}

/** The memory that the bad value came from, as it is now. */
export function sourceEvidence(fault: FaultCase): Evidence[] {
  const source = sourceOf(fault);
  if (source?.address === undefined || source.now === undefined) return [];
  const { address, now, size, comparison } = source;
  const claim = `${hex16(address)}, where it was loaded from, holds ${now === 0n ? "0" : `0x${now.toString(16)}`}${comparison === "same" ? ", the same" : " now: it was changed since"}`;
  return [{ claim, command: `rd ${size === 8 ? "" : `-${size * 8} `}${hex16(address)} 1`, values: [{ address, value: now }] }];
}

/** The object that the bad value was found in, for the verdict: the structure whose member it is. */
export function sourceObject(fault: FaultCase): NonNullable<Verdict["object"]> | undefined {
  const source = sourceOf(fault);
  if (source === undefined) return undefined;
  if (source.base === undefined)
    return source.container === undefined || source.member === undefined ? undefined : { type: source.container, member: source.member };
  const role = slabRole(tryIdentify(fault.kernel, source.base));
  return {
    ...(source.container === undefined ? {} : { type: source.container }),
    ...(source.member === undefined ? {} : { member: source.member }),
    address: source.base,
    ...(role === undefined ? {} : { state: stateText(role.state), cache: role.cache }),
  };
}

/** What was to be accessed: the structure that the bad pointer should lead to; what it was read from when that is all that has a name. */
export function accessedObject(fault: FaultCase): NonNullable<Verdict["object"]> | undefined {
  const { path, bad, kernel } = fault;
  if (path === undefined || bad === undefined) return undefined;
  if (path.member === undefined) return sourceObject(fault) ?? { address: bad.value };
  const address = path.object ?? bad.value;
  const role = slabRole(tryIdentify(kernel, address));
  return {
    ...(path.container === undefined ? {} : { type: path.container }),
    member: path.member,
    address,
    ...(role === undefined ? {} : { state: stateText(role.state), cache: role.cache }),
  };
}
