/**
 * An object that a function had on its stack, and left linked when it returned: an entry of a wait queue without finish_wait(), a timer or a
 * work item on the stack, a request whose waiter gave up. Whoever comes along its list reads what lies on the stack by now.
 *
 *   wait list ─► ff38b128c0013c18      the stack of task 1: in use from ff38b128c0013e40 on         the frame is gone
 *                                      in the frame of a function that calls nothing                it cannot have linked it
 */
import { hex16, type VirtualAddress, virtual } from "../../bytes/address.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { StackFrame } from "../../stack/frame.ts";
import { unwindTask } from "../../stack/unwind.ts";
import { controlFlowOf } from "../../type-flow/control-flow.ts";
import { veneerTarget } from "../../type-flow/veneer.ts";
import { guarded } from "../guarded.ts";
import type { FaultCase } from "./fault-case.ts";
import { sourceOf } from "./source-of.ts";
import { tryIdentify } from "./try-identify.ts";
import { plainName } from "./words.ts";

export interface LeftOnStack {
  /** Of the word that the bad value was read from. */
  readonly address: bigint;
  readonly pid: number;
  readonly comm: string;
  /** "below everything that its task has on its stack", "in the frame of gpio_sample [gpiowait], which calls nothing that could link it". */
  readonly where: string;
}

/** What a compiler adds to a function, and what gives nothing away. */
const HARMLESS =
  /^(?:__stack_chk_fail|__x86_return_thunk|__fentry__|_mcount|__(?:sanitizer|tsan|asan)_\w+|(?:__|_)?cond_resched|(?:__)?(?:memset|memcpy|memmove))$/;
/** Where a task that does not run has stopped. */
const ASLEEP = /^(?:__schedule|__switch_to(?:_asm)?|context_switch)$/;

/** undefined unless it is proved that nobody's live frame holds the object. */
export function leftOnStack(fault: FaultCase): LeftOnStack | undefined {
  const source = sourceOf(fault);
  const address = source?.address;
  if (address === undefined || source?.comparison !== "same" || !fault.kernel.arch.isKernelAddress(address)) return undefined;
  const role = tryIdentify(fault.kernel, address)?.roles.find(({ kind }) => kind === "task stack");
  if (role?.kind !== "task stack" || role.task === undefined) return undefined;
  const { task } = role;
  const frames = guarded(() => framesOf(fault, task.address))?.filter(
    ({ stack, certainty, kind }) => certainty === "exact" && kind !== "inline" && address >= stack.start && address < stack.end,
  );
  const known = (frames ?? []).flatMap((frame) => (isWithin(frame) ? [{ frame, sp: frame.registers.sp ?? 0n }] : []));
  const [inner] = known;
  if (inner === undefined) return undefined;
  const { pid, comm } = task;
  if (address < inner.sp) return { address, pid, comm, where: "below everything that the task has on its stack" };
  const size = BigInt(fault.kernel.types.tryStruct("pt_regs")?.size ?? 0);
  const saved = frames?.some(
    ({ exception }) => exception !== undefined && address >= exception.address && address < exception.address + size,
  );
  if (saved === true) return { address, pid, comm, where: "among the registers that an interrupt saved there" };
  const holder = known.findLast(({ sp }) => sp <= address)?.frame;
  if (holder?.function === undefined || !linksNothing(fault.kernel, holder.pc)) return undefined;
  const module = holder.module === undefined ? "" : ` [${holder.module}]`;
  return {
    address,
    pid,
    comm,
    where: `in the frame of ${plainName(holder.function)}${module}, which calls nothing that could have linked it`,
  };
}

/** A frame that switched stacks has its stack pointer on the one it came from. */
function isWithin({ registers: { sp }, stack }: StackFrame): boolean {
  return sp !== undefined && sp >= stack.start && sp < stack.end;
}

/** Of the task of the fault from the fault outwards, else of one that sleeps: what runs elsewhere had another stack then. */
function framesOf({ kernel, state, subject }: FaultCase, task: VirtualAddress): readonly StackFrame[] {
  if (subject.task?.address === task) return (state.stack?.frames ?? []).slice(state.frame ?? 0);
  const { frames } = unwindTask(kernel, task);
  return ASLEEP.test(plainName(frames[0]?.function ?? "")) ? frames : [];
}

/** Every call of the function is known, and none of them can have put an object of its stack anywhere. */
function linksNothing(kernel: Kernel, pc: bigint): boolean {
  const flow = guarded(() => controlFlowOf(kernel, virtual(pc)));
  if (flow === undefined) return false;
  const { start, end } = { start: flow.instructions[0]?.address ?? 0n, end: flow.instructions.at(-1)?.address ?? 0n };
  return flow.instructions.every(({ flow: kind, operands }) => {
    if (kind !== "call" && kind !== "jump") return true;
    const target = operands.find((operand) => operand.kind === "target");
    if (target?.kind !== "target") return false;
    if (target.address >= start && target.address <= end) return kind === "jump";
    const callee = kernel.symbols.byAddress(veneerTarget(kernel, target.address) ?? target.address);
    return callee?.offset === 0 && HARMLESS.test(plainName(callee.symbol.name));
  });
}

/** In a sentence. */
export function leftOnStackText({ address, pid, comm, where }: LeftOnStack): string {
  return `${hex16(address)} lies on the stack of task ${pid} (${comm}), ${where}`;
}
