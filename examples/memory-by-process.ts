/**
 * Processes by the memory they hold, with what it is made of, and how much of the machine they have together.
 *
 *   inquest script examples/memory-by-process.ts vmcore -- 5        the five largest
 *
 * Kernel side: mm_struct.rss_stat (include/linux/mm_types.h), in pages; shared pages count for each process that maps them.
 */
import type { Kernel } from "inquest";

const mib = (kib: number): string => `${(kib / 1024).toFixed(1)} MiB`;

export default function (kernel: Kernel, args: readonly string[]): string {
  const most = Number(args[0] ?? 10);
  // One entry for each address space: threads share theirs.
  const processes = kernel.tasks().filter((task) => task.leader && !task.kernelThread);
  const rows = processes.map((task) => ({ task, memory: task.memory })).sort((a, b) => (b.memory.rssKiB ?? 0) - (a.memory.rssKiB ?? 0));
  const together = rows.reduce((sum, { memory }) => sum + (memory.rssKiB ?? 0), 0);
  return [
    `${rows.length} processes hold ${mib(together)} of ${mib((kernel.system.memoryBytes ?? 0) / 1024)}`,
    ...rows
      .slice(0, most)
      .map(
        ({ task, memory }) => `${String(task.pid).padStart(6)}  ${mib(memory.rssKiB ?? 0).padStart(10)}  ${memory.percent}%  ${task.comm}`,
      ),
  ].join("\n");
}
