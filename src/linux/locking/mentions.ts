/**
 * Who may hold a lock that names no owner: tasks whose stack or registers hold the lock's address. Code that took a lock and will release it
 * must keep its address somewhere; so a task that mentions it and does not wait for it is a candidate, and one that does not is none, unless
 * it can compute the address (a member of a structure, a variable).
 */
import { distance, type VirtualAddress } from "../../bytes/address.ts";
import { InquestError } from "../../bytes/errors.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { StackFrame, UnwoundStack } from "../../stack/frame.ts";
import { savedStackPointer } from "../kernel-stack-pointer.ts";
import type { Task } from "../task.ts";
import { taskLayout } from "../task-layout.ts";

/** Gives a task's stack; the linux floor does not unwind by itself. */
export interface StackReader {
  unwind(task: Task): UnwoundStack;
  /** Bytes of a task's stack: THREAD_SIZE. */
  readonly stackSize: number;
}

/** A place on a task's stack, or a register, that holds a lock's address. */
export interface Mention {
  readonly task: Task;
  readonly lock: VirtualAddress;
  /** Function whose frame it is. */
  readonly function: string | undefined;
  readonly offset: number | undefined;
  /** Register that holds it where the task stopped; undefined for a word of the stack. */
  readonly register: string | undefined;
}

/** The words that a sleeping task's switch saved below its innermost frame (struct inactive_task_frame). */
const SWITCH_BYTES = 64n;

/** Mentions of some addresses by some tasks, the innermost of each task and address. */
export function* findMentions(kernel: Kernel, tasks: Iterable<Task>, wanted: ReadonlySet<bigint>, reader: StackReader): Iterable<Mention> {
  if (wanted.size === 0) return;
  for (const task of tasks) {
    try {
      yield* mentionsOf(kernel, task, wanted, reader);
    } catch (error) {
      if (!(error instanceof InquestError)) throw error;
    }
  }
}

function* mentionsOf(kernel: Kernel, task: Task, wanted: ReadonlySet<bigint>, reader: StackReader): Iterable<Mention> {
  const start = taskLayout(kernel).stack.pointer(task.address);
  const saved = task.active ? undefined : savedStackPointer(kernel, task.address);
  const end = start + BigInt(reader.stackSize);
  const from =
    saved !== undefined && saved >= start && saved < end ? (saved - (saved - start < SWITCH_BYTES ? 0n : SWITCH_BYTES)) & ~7n : start;
  const content = kernel.memory.tryBytes(from as VirtualAddress, Number(end - from));
  const places = content === undefined ? [] : [...matches(content, from, wanted)];
  const { frames } = places.length === 0 && !task.active ? { frames: [] as readonly StackFrame[] } : reader.unwind(task);
  const told = new Set<bigint>();
  for (const frame of task.active ? frames : frames.slice(0, 1)) {
    for (const [register, value] of Object.entries(frame.registers.record())) {
      if (!wanted.has(value) || told.has(value)) continue;
      told.add(value);
      yield { task, lock: value as VirtualAddress, function: frame.function, offset: frame.offset, register };
    }
  }
  for (const [at, word] of places) {
    if (told.has(word)) continue;
    const frame = frameAt(frames, at);
    // Below the innermost frame lies what calls that have returned left there.
    if (frame === undefined && task.active) continue;
    told.add(word);
    yield { task, lock: word as VirtualAddress, function: frame?.function, offset: frame?.offset, register: undefined };
  }
}

function* matches(content: Uint8Array, from: bigint, wanted: ReadonlySet<bigint>): Iterable<readonly [bigint, bigint]> {
  const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
  // Most words differ in their low half already, and numbers are quicker than bigints.
  const low = new Set([...wanted].map((value) => Number(value & 0xffff_ffffn)));
  for (let offset = 0; offset + 8 <= content.length; offset += 8) {
    if (!low.has(view.getUint32(offset, true))) continue;
    const word = view.getBigUint64(offset, true);
    if (wanted.has(word)) yield [from + BigInt(offset), word];
  }
}

/** The frame that a place on the stack belongs to. */
function frameAt(frames: readonly StackFrame[], at: bigint): StackFrame | undefined {
  let best: StackFrame | undefined;
  for (const frame of frames) {
    if (at < frame.sp || at >= frame.stack.end || at < frame.stack.start) continue;
    if (best === undefined || distance(at, frame.sp) < distance(at, best.sp)) best = frame;
  }
  return best;
}
