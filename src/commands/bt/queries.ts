/** The questions `bt` asks of one task's stack, or of all. */
import { distance, hex16, type VirtualAddress } from "../../bytes/address.ts";
import { InquestError } from "../../bytes/errors.ts";
import { StackWords } from "../../identity/stack-words.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { type Task, taskTable } from "../../linux/task.ts";
import { CodeRanges } from "../../stack/code-ranges.ts";
import { findExceptionFrames } from "../../stack/exception-search.ts";
import type { StackArea, StackFrame, UnwoundStack } from "../../stack/frame.ts";
import { withInlinedFrames } from "../../stack/inlined-frames.ts";
import { unwindKit } from "../../stack/machine-rules.ts";
import { stackWords } from "../../stack/scan.ts";
import { StackMap } from "../../stack/stack-map.ts";
import { givenStart, taskStart } from "../../stack/start.ts";
import { onStack, STACK_END_MAGIC, stackEndAddress, taskStack } from "../../stack/task-stack.ts";
import { unwindFrom, unwindTask } from "../../stack/unwind.ts";
import { type AnnotateOptions, stackWordList } from "./annotate.ts";
import type { BtCpuStack, BtOverflow, BtStack, BtTask, BtText } from "./result.ts";
import { registersResult, stackResult } from "./stack-result.ts";
import type { BtVariable } from "./variables.ts";

export interface StackQuery {
  readonly raw: boolean;
  readonly text: "all" | "above" | undefined;
  readonly scan: boolean;
  readonly exceptions: boolean;
  readonly words: AnnotateOptions | undefined;
  /** -V: the variables of a frame. */
  readonly variables?: ((stack: UnwoundStack, frame: StackFrame) => readonly BtVariable[]) | undefined;
  /** Not -i: calls that were inlined are frames of their own. */
  readonly inlined: boolean;
  /** -l */
  readonly lines: boolean;
  readonly pc: VirtualAddress | undefined;
  readonly sp: VirtualAddress | undefined;
}

export function brief({ pid, comm, address, cpu }: Task): BtTask {
  return { pid, comm, address, cpu };
}

/** One task's stack as asked for. A stack that cannot be read is an answer too: no frames, and why. */
export function taskStackResult(kernel: Kernel, task: Task, query: StackQuery): BtStack {
  try {
    return answer(kernel, task, query);
  } catch (error) {
    if (!(error instanceof InquestError)) throw error;
    return { task: brief(task), frames: [], stop: `the stack cannot be read: ${error.message}`, complete: false };
  }
}

function answer(kernel: Kernel, task: Task, query: StackQuery): BtStack {
  const area = taskStack(kernel, task.address);
  if (query.raw) {
    const notes = query.words?.notes === true ? new StackWords(kernel, unwind(kernel, task, query), task.address) : undefined;
    const names = { symbols: notes === undefined, slabs: false };
    return { ...empty(task), raw: stackWordList(kernel, area.start, area.end, names, notes) };
  }
  const unwound = unwind(kernel, task, query);
  const result = givenRegistersLeftOut(stackResult(kernel, brief(task), unwound, query.words, query.variables), query);
  if (query.exceptions) {
    const found = findExceptionFrames(kernel, area).map((frame) => registersResult(kernel, frame.address, frame.user, frame.registers));
    return { ...result, exceptionFrames: found };
  }
  if (query.text !== undefined) {
    const start = query.text === "all" ? area.start : lowestUsed(area, unwound);
    const outermost = result.frames.at(-1)?.exception;
    return {
      ...result,
      frames: query.text === "all" ? [] : result.frames.slice(0, 1),
      text: textWords(kernel, area, start, false),
      ...(outermost?.user === true ? { userRegisters: outermost } : {}),
    };
  }
  return query.scan ? { ...result, text: textWords(kernel, area, lowestUsed(area, unwound), true) } : result;
}

/** A start that was given by hand (-I, -S) is no CPU's registers. */
function givenRegistersLeftOut({ registers, ...rest }: BtStack, { pc, sp }: StackQuery): BtStack {
  return registers === undefined || pc !== undefined || sp !== undefined ? rest : { ...rest, registers };
}

function empty(task: Task): BtStack {
  return { task: brief(task), frames: [], stop: "not unwound", complete: true };
}

function unwind(kernel: Kernel, task: Task, { pc, sp, inlined, lines }: StackQuery): UnwoundStack {
  const own = pc === undefined && sp === undefined;
  const start = own ? taskStart(kernel, task.address) : givenStart(kernel, task.address, pc, sp);
  return withInlinedFrames(kernel, unwindFrom(kernel, start, task.address), { frames: inlined, lines });
}

/** The innermost place of the task's own stack that the unwind knows; the stack's lowest byte when it knows none. */
function lowestUsed(area: StackArea, { frames }: UnwoundStack): VirtualAddress {
  return frames.find((frame) => onStack(area, frame.sp))?.sp ?? area.start;
}

/** Words in code, as they come; with `calls` only those right behind a call. */
function textWords(kernel: Kernel, area: StackArea, from: VirtualAddress, calls: boolean): BtText[] {
  const code = CodeRanges.of(kernel);
  const { isReturnAddress } = unwindKit(kernel);
  const rows: BtText[] = [];
  for (const [address, word] of stackWords(kernel, from, area.end)) {
    const pc = kernel.arch.stripPointer(word);
    if (!(calls ? isReturnAddress(pc) : code.isCode(pc))) continue;
    const place = code.place(pc, calls);
    if (place !== undefined) rows.push({ address, pc, function: place.function, offset: place.offset, module: place.module ?? null });
  }
  return rows;
}

/** bt -R: does a frame or a word of the used stack name the reference? */
export function refers(
  kernel: Kernel,
  task: Task,
  { name, value }: { readonly name: string; readonly value: bigint | undefined },
): boolean {
  try {
    const unwound = unwindFrom(kernel, taskStart(kernel, task.address), task.address);
    if (unwound.frames.some((frame) => frame.function === name || frame.pc === value)) return true;
    const area = taskStack(kernel, task.address);
    for (const [, word] of stackWords(kernel, lowestUsed(area, unwound), area.end)) if (word === value) return true;
    return false;
  } catch (error) {
    if (error instanceof InquestError) return false;
    throw error;
  }
}

/** bt -E: interrupt and exception stacks of some CPUs. */
export function cpuStacks(kernel: Kernel, cpus: readonly number[]): BtCpuStack[] {
  const areas = StackMap.of(kernel).areas.filter((area) => area.cpu === undefined || cpus.includes(area.cpu));
  // crash's order: the interrupt stacks of all CPUs, then the other stacks of each.
  return [...areas.filter(({ kind }) => kind === "irq"), ...areas.filter(({ kind }) => kind !== "irq")].map((area) => ({
    cpu: area.cpu ?? null,
    stack: area.kind,
    start: area.start,
    exceptionFrames: findExceptionFrames(kernel, area).map((frame) => registersResult(kernel, frame.address, frame.user, frame.registers)),
  }));
}

/**
 * bt -v: the mark at the low end of every stack, a thread_info on the stack that names another task, and running tasks whose stack pointer
 * has left their stack. With guard pages (CONFIG_VMAP_STACK) an overflow faults before it overwrites anything: only the last tells of it.
 */
export function overflows(kernel: Kernel): BtOverflow[] {
  const found: BtOverflow[] = [];
  // init_task's stack has had the mark only since it is set at boot (set_task_stack_end_magic in start_kernel); idle tasks have it too.
  for (const task of taskTable(kernel).tasks) {
    try {
      const area = taskStack(kernel, task.address);
      if (area.start === 0n) continue;
      const at = stackEndAddress(kernel, area);
      const mark = kernel.memory.u64(at);
      if (mark !== STACK_END_MAGIC) found.push({ task: brief(task), problem: `${hex16(at)}: ${mark.toString(16)} != STACK_END_MAGIC` });
      const info = distance(at, area.start) > 0 ? kernel.types.tryStruct("thread_info")?.tryField("task") : undefined;
      const owner = info?.pointer(area.start);
      if (owner !== undefined && owner !== task.address) {
        found.push({ task: brief(task), problem: `thread_info.task: ${owner.toString(16)} != ${task.address.toString(16)}` });
      }
      const below = task.active ? belowStack(unwindTask(kernel, task.address), area, kernel.arch.pageSize) : undefined;
      if (below !== undefined) {
        found.push({ task: brief(task), problem: `the stack pointer ${hex16(below)} is below the stack's end ${hex16(area.start)}` });
      }
    } catch (error) {
      if (!(error instanceof InquestError)) throw error;
      found.push({ task: brief(task), problem: `the stack cannot be checked: ${error.message}` });
    }
  }
  return found;
}

/** A stack pointer of one of the frames that lies in the guard page under the stack, where nothing else can be. */
export function belowStack(stack: UnwoundStack, area: StackArea, pageSize: number): bigint | undefined {
  const guard = area.start - BigInt(pageSize);
  return stack.frames
    .flatMap(({ registers, exception }) => [registers.sp, exception?.registers.sp])
    .find((sp) => sp !== undefined && sp >= guard && sp < area.start);
}
