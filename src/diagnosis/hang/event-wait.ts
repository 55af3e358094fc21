/**
 * The wait queue that a task sleeps on in wait_event(): the entry on its stack names the task, and the ring that it is linked in begins in
 * the queue's head (include/linux/wait.h).
 *
 *   struct snap { … wait_queue_head_t drained { lock, head } ⇄ wait_queue_entry { flags, private = task, func, entry } }
 */
import type { VirtualAddress } from "../../bytes/address.ts";
import { containerOf } from "../../kernel/field.ts";
import { lockLayouts } from "../../linux/locking/layout.ts";
import { frameWords } from "../../linux/locking/stack-values.ts";
import { isLinked, waiterRing } from "../../linux/locking/wait-list.ts";
import type { Task } from "../../linux/task.ts";
import type { Finding } from "../finding.ts";
import { guarded } from "../guarded.ts";
import { type Container, containerAround } from "./lock-object.ts";
import type { Standstill } from "./standstill.ts";

export interface EventWait {
  /** wait_queue_head. */
  readonly queue: VirtualAddress;
  readonly entry: VirtualAddress;
  readonly container: Container | undefined;
}

/** Frames in which the entry is looked for. */
const MAX_FRAMES = 12;

/** undefined when the task sleeps on no wait queue, or on one whose ring is broken. */
export function eventWait(still: Standstill, task: Task): EventWait | undefined {
  return guarded(() => {
    const { kernel } = still;
    const layout = lockLayouts(kernel).waitEntry;
    const head = (kernel.types.tryStruct("wait_queue_head") ?? kernel.types.tryStruct("__wait_queue_head"))?.firstField(
      "head",
      "task_list",
    );
    const frames = still.stack(task)?.frames ?? [];
    if (layout === undefined || head === undefined) return undefined;
    for (const { at, word } of frameWords(kernel, frames, 0, Math.min(MAX_FRAMES, frames.length - 1))) {
      if (word !== task.address) continue;
      const entry = containerOf(at, layout.task);
      if (!isLinked(kernel, layout.list.address(entry))) continue;
      const ring = waiterRing(kernel, layout, entry);
      if (ring?.head === undefined) continue;
      const queue = containerOf(ring.head, head);
      const modules = [...new Set(frames.flatMap(({ module }) => module ?? []))];
      return { queue, entry, container: containerAround(still, queue, "wait_queue_head", modules) };
    }
    return undefined;
  });
}

/** As a verdict's object: the member of the structure around the queue. */
export function eventObject({ queue, container }: EventWait): NonNullable<Finding["object"]> {
  return {
    type: container?.type ?? "struct wait_queue_head",
    ...(container === undefined ? {} : { member: container.member }),
    address: queue,
  };
}
