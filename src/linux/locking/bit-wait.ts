/**
 * Waits for a bit of a word (kernel/sched/wait_bit.c) and for a flag of a page or folio (mm/filemap.c). Both sleep on hashed wait queues;
 * what is waited for stands in the entry on the waiter's stack:
 *
 *   wait_page_queue      { folio (page before 5.16), bit_nr, wait { flags, private = task, func, entry } }
 *   wait_bit_queue_entry { key { flags = &word, bit_nr, timeout }, wq_entry { … } }       wait_bit_queue { key, wait } before 4.13
 */
import { virtual } from "../../bytes/address.ts";
import { containerOf } from "../../kernel/field.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { StackFrame } from "../../stack/frame.ts";
import { pageFlagBits } from "../page.ts";
import type { Task } from "../task.ts";
import type { FoundWait } from "./find-wait.ts";
import { lockLayouts } from "./layout.ts";
import { frameWords } from "./stack-values.ts";
import type { WaitFrames } from "./wait-functions.ts";
import { isLinked } from "./wait-list.ts";

/** What a bit or folio wait looks for: its entry in the waiting frames. */
export function bitWait(kernel: Kernel, task: Task, frames: readonly StackFrame[], place: WaitFrames): FoundWait {
  const { types } = kernel;
  const entry = lockLayouts(kernel).waitEntry;
  const page = types.tryStruct("wait_page_queue");
  const bit = types.tryStruct("wait_bit_queue_entry") ?? types.tryStruct("wait_bit_queue");
  const shapes = [
    {
      kind: "folio" as const,
      embedded: page?.tryField("wait"),
      target: page?.firstField("folio", "page"),
      number: page?.tryField("bit_nr"),
    },
    {
      kind: "bit" as const,
      embedded: bit?.firstField("wq_entry", "wait"),
      target: bit?.tryField("key.flags"),
      number: bit?.tryField("key.bit_nr"),
    },
  ];
  if (entry === undefined)
    return { lock: undefined, waiter: undefined, verified: false, evidence: "this dump's types have no wait queue entries" };
  let woken: FoundWait | undefined;
  for (const { kind, embedded, target, number } of shapes) {
    if (kind !== place.kind || embedded === undefined || target === undefined || number === undefined) continue;
    for (const { at, word } of frameWords(kernel, frames, place.first - 1, place.last)) {
      if (word !== task.address) continue;
      const queued = containerOf(at, entry.task);
      const whole = containerOf(queued, embedded);
      const lock = kernel.memory.tryU64(target.address(whole));
      const bytes = kernel.memory.tryU32(number.address(whole));
      const bitNumber = bytes === undefined ? -1 : bytes | 0;
      // Both a page's structure and the word of a bit are aligned; many words of a stack are not.
      if (lock === undefined || (lock & 7n) !== 0n || !kernel.arch.isKernelAddress(lock) || bitNumber < 0 || bitNumber > 63) continue;
      const linked = isLinked(kernel, entry.list.address(queued));
      if (!linked && woken !== undefined) continue;
      const name = kind === "folio" ? pageFlagBits(kernel).find((flag) => flag.bit === bitNumber)?.name : undefined;
      const bit = `its wait queue entry names bit ${bitNumber}${name === undefined ? "" : ` (${name})`}`;
      const found = {
        lock: virtual(lock),
        waiter: queued,
        verified: linked,
        bit: bitNumber,
        ...(name === undefined ? {} : { flag: name }),
        evidence: linked ? bit : `${bit}; the entry is in no queue: it has just been woken`,
      };
      if (linked) return found;
      woken = found;
    }
  }
  if (woken !== undefined) return woken;
  return {
    lock: undefined,
    waiter: undefined,
    verified: false,
    evidence: "its wait queue entry was not found in the waiting function's frame",
  };
}
