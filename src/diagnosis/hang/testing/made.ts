/** Tasks, frames and edges made by hand, for the unit tests of this directory. */
import { virtual } from "../../../bytes/address.ts";
import type { LockTask } from "../../../linux/locking/lock.ts";
import type { Task } from "../../../linux/task.ts";
import type { FrameKind, StackFrame, UnwoundStack } from "../../../stack/frame.ts";
import type { HangEdge } from "../edges.ts";

export function lockTaskNamed(comm: string, pid: number): LockTask {
  return { comm, pid, address: virtual(0xffff_0000_0000_0000n + BigInt(pid) * 0x1000n), cpu: 0, state: "UN" };
}

export function edge(from: LockTask, to: LockTask, parts: Partial<HangEdge> = {}): HangEdge {
  return { from, to, via: "lock", certainty: "exact", what: "a lock", seconds: 10, known: "", evidence: [], ...parts };
}

/** Frames from the innermost outwards: "name", "name [module]", "!name" for one that an exception struck. */
export function stackOfNames(...names: readonly string[]): UnwoundStack {
  const frames = names.map((text, level) => {
    const [, struck, name, module] = /^(!?)(\S+)(?: \[(\w+)\])?$/.exec(text) ?? [];
    const kind: FrameKind = struck === "!" ? "interrupted" : level === 0 ? "start" : "call";
    return {
      level,
      function: name,
      module,
      kind,
      certainty: "exact",
      offset: 4,
      pc: virtual(0n),
      sp: virtual(0n),
    } as unknown as StackFrame;
  });
  return { frames, stop: { complete: true, text: "" }, user: undefined };
}

export function task(parts: Partial<Task> = {}): Task {
  return { pid: 7, comm: "task", cpu: 0, state: 2, exitState: 0, active: false, idle: false, address: virtual(1n), ...parts } as Task;
}
