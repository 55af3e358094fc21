/**
 * Which irq_work waits for its interrupt on a CPU (kernel/irq_work.c): per-CPU raised_list and lazy_list hold what was queued and did not run.
 * In a storm of these interrupts what is queued again is what does not let the CPU go.
 */
import { type VirtualAddress, virtual } from "../../bytes/address.ts";
import { containerOf } from "../../kernel/field.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { gather } from "../../linux/gather.ts";
import { llistNodes } from "../../linux/list.ts";
import { guarded } from "../guarded.ts";

export interface QueuedIrqWork {
  /** struct irq_work. */
  readonly item: VirtualAddress;
  readonly function: VirtualAddress;
  /** The word that names the function. */
  readonly at: VirtualAddress;
}

const MAX_ITEMS = 64;

export function queuedIrqWork(kernel: Kernel, cpu: number): readonly QueuedIrqWork[] {
  const struct = kernel.types.tryStruct("irq_work");
  // node since 5.11 (7a9f50a05843); llnode stood behind flags before 5.8.
  const link = struct?.firstField("node.llist", "llnode");
  const called = struct?.tryField("func");
  if (link === undefined || called === undefined) return [];
  return ["raised_list", "lazy_list"].flatMap((name) => {
    const list = kernel.tryAddress(name);
    const head = list === undefined ? undefined : guarded(() => kernel.perCpuAddress(list, cpu));
    if (head === undefined) return [];
    return gather(llistNodes(kernel.memory, head, { limit: MAX_ITEMS }), [], name).flatMap((node): QueuedIrqWork[] => {
      const item = containerOf(node, link);
      const target = kernel.memory.tryU64(called.address(item));
      const symbol = target === undefined ? undefined : kernel.symbols.byAddress(virtual(target));
      if (target === undefined || symbol?.offset !== 0) return [];
      return [{ item, function: virtual(target), at: called.address(item) }];
    });
  });
}
