/**
 * What the faulting instruction did and why that failed, and where its bad value came from: two sentences over what the fault's case holds.
 *
 *   The instruction "mov %rax,0x8(%rdx)" at sink_queue_purge+0x3d was to write 8 bytes to 0000000000000008, which is (struct sk_buff *)NULL->prev
 *   [+0x8]: no page is mapped there. Its rdx = NULL was loaded from (struct sk_buff *)rdi->next [+0x0] at ff29c416c2ae3900, which holds it still.
 */
import { disassemblerFor, instructionText } from "../../arch/disassembler.ts";
import { hex16, type VirtualAddress, virtual } from "../../bytes/address.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { poisonOf } from "../../linux/poison.ts";
import { activationText, isIndex } from "../fault/access-text.ts";
import type { FaultCase } from "../fault/fault-case.ts";
import { type OriginStep, valueText } from "../fault/origin-step.ts";
import { guarded } from "../guarded.ts";
import { sentence } from "./words.ts";

/** Steps of the way back that are told; the origin has them all. */
const MAX_STEPS = 4;

/** @param isError the value is taken for an error code, and told by its name */
export function faultTold(fault: FaultCase, isError: boolean): readonly string[] {
  const happened =
    fault.access.kind === "fetch" ? fetchTold(fault) : fault.access.kind === "memory" ? accessTold(fault, isError) : undefined;
  const came = cameFrom(fault, isError);
  return [happened, came].flatMap((line) => (line === undefined ? [] : [sentence(line)]));
}

function accessTold(fault: FaultCase, isError: boolean): string | undefined {
  const { access, bad, path, activations, guiltyLevel, state } = fault;
  const at = activations.at(0);
  if (access.kind !== "memory" || path === undefined || at === undefined) return undefined;
  const code = codeAt(fault.kernel, access.instruction.address, access.instruction.size);
  const many = path.access.size === undefined ? "memory" : `${path.access.size} byte${path.access.size === 1 ? "" : "s"}`;
  const verb = path.access.kind === "write" ? "write" : "read";
  if (access.shadow !== undefined) {
    const shadow = `KASAN's check ${code === undefined ? "" : `"${code}" `}at ${activationText(at)} looked at ${hex16(access.shadow)}`;
    return `${shadow}, the shadow of ${hex16(access.address)}${typedPlace(fault, isError)}, before the ${verb} of ${many} there: only kernel memory has a shadow that is mapped`;
  }
  const what = `The instruction ${code === undefined ? "" : `"${code}" `}at ${activationText(at)}`;
  const inside = guiltyLevel === 0 ? "" : ", which works for its caller,";
  const place = `${hex16(access.address)}${typedPlace(fault, isError)}`;
  const why = whyNot(access.address, bad?.value, state.exception?.present, fault);
  return `${what}${inside} was to ${verb} ${many} ${path.access.kind === "write" ? "to" : "from"} ${place}${copyTold(path.copy)}${why === undefined ? "" : `: ${why}`}`;
}

/** ", 48 bytes into a copy of 256". */
function copyTold(copy: NonNullable<FaultCase["path"]>["copy"]): string {
  if (copy === undefined) return "";
  const total = copy.total === undefined ? "" : ` of ${copy.total}`;
  return `, ${copy.done} bytes into a ${copy.kind}${total}`;
}

/** ", which is (struct sk_buff *)0->prev [+0x8]". */
function typedPlace(fault: FaultCase, isError: boolean): string {
  const { path, bad } = fault;
  if (path?.container === undefined || path.member === undefined || bad === undefined || isIndex(fault)) return "";
  const offset = path.offset ?? bad.offset;
  const shown = offset < 0n ? `-0x${(-offset).toString(16)}` : `+0x${offset.toString(16)}`;
  return `, which is (${path.container} *)${shownValue(path.object ?? bad.value, isError)}->${path.member} [${shown}]`;
}

function whyNot(
  address: bigint,
  value: bigint | undefined,
  present: boolean | undefined,
  { bad, state, kernel }: FaultCase,
): string | undefined {
  const poison = value === undefined ? undefined : poisonOf(value);
  const named = poison === undefined ? "" : `${shiftedName(poison)} (${poison.meaning}), `;
  if (present === true && address >= 4096n && !kernel.arch.isKernelAddress(address))
    return `${named}user memory, which the CPU lets the kernel touch only where it says that it means to`;
  if (present === true) return `${named}the page there does not allow it`;
  if (state.kind === "general protection" || bad?.identity.region === "non-canonical") return `${named}no address of this machine`;
  if (present !== false) return named === "" ? undefined : named.slice(0, -2);
  const isUser = poison === undefined && address >= 4096n && !kernel.arch.isKernelAddress(address);
  const where = isUser ? ", in user memory" : "";
  return `${named}no page is mapped there${where}`;
}

function shiftedName({ name, offset }: { readonly name: string; readonly offset: number }): string {
  return offset === 0 ? name : `${name} ${offset < 0 ? "-" : "+"} 0x${Math.abs(offset).toString(16)}`;
}

function fetchTold({ access, guilty, kernel, bad }: FaultCase): string | undefined {
  if (access.kind !== "fetch") return undefined;
  const to = `${access.target === 0n ? "0" : hex16(access.target)}, ${bad?.identity.region === "user" ? "which is user memory" : "where no code is"}`;
  if (access.call === undefined) return `The CPU was led to ${to}`;
  const code = codeAt(kernel, access.call.address, access.call.size);
  return `${code === undefined ? "The call" : `"${code}"`} in ${guilty.function}${guilty.module === undefined ? "" : ` [${guilty.module}]`} led the CPU to ${to}`;
}

/** "rdx = 0 was loaded from …; before that it had been passed as … ". */
function cameFrom({ bad, access }: FaultCase, isError: boolean): string | undefined {
  const steps = (bad?.origin?.steps ?? []).filter(({ kind }) => kind !== "lost");
  if (bad === undefined || steps.length === 0) return undefined;
  const told = steps.slice(0, MAX_STEPS).map((step, index) => stepTold(step, steps[index - 1], isError));
  const more = steps.length > MAX_STEPS ? [`${steps.length - MAX_STEPS} more steps back are in its origin (analyze --json)`] : [];
  // "rax was set to NULL": the value is told with that.
  const value = steps[0]?.kind === "constant" ? "" : ` = ${shownValue(bad.value, isError)}`;
  const register = bad.register === undefined ? "It" : `Its ${bad.register}${value}`;
  const name = access.kind === "fetch" ? "That address" : register;
  return `${name} ${[...told, ...more].join("; ")}`;
}

function stepTold(step: OriginStep, before: OriginStep | undefined, isError: boolean): string {
  const text = step.text
    .replace(/\bloaded from \*\(\?\)/, "loaded from memory at an address that is not known any more")
    .replace(/\((struct \w+) \*\)\?->/, "$1.")
    .replace(/^-E[A-Z]+(?= [-+] 0x)/, (name) => (isError ? name : hex16(step.value)));
  const still = step.load?.comparison === "same" ? ", which holds it still" : "";
  const lead = before === undefined ? "was" : before.kind === "sum" ? "what it was computed from had been" : "it had been";
  return step.kind === "sum" && before === undefined ? `is ${text}` : `${lead} ${text}${still}`;
}

/** A number under 4096 from the top is an error's name only where it is taken for one. */
function shownValue(value: bigint, isError: boolean): string {
  if (value === 0n) return "NULL";
  const text = valueText(value);
  return !isError && text.startsWith("-") ? hex16(value) : text;
}

function codeAt(kernel: Kernel, address: bigint, size: number): string | undefined {
  const bytes = kernel.memory.tryBytes(virtual(address), size);
  if (bytes === undefined) return undefined;
  const show = (target: VirtualAddress): string => kernel.symbols.byAddress(target)?.symbol.name ?? hex16(target);
  const text = guarded(() => instructionText(disassemblerFor(kernel.arch.name).instruction(bytes, virtual(address)), show));
  return text?.replace(/\s+/g, " ").trim();
}
