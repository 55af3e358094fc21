/**
 * Messages that were printed in NMI or inside printk itself and wait to be moved to the log (kernel/printk/printk_safe.c, 4.7–5.14;
 * removed by 93d102f094be).
 *
 *   per-CPU nmi_print_seq, safe_print_seq: struct printk_safe_seq_buf { atomic_t len, message_lost; struct irq_work work; u8 buffer[] }
 */
import type { Kernel } from "../kernel/kernel.ts";
import { cpuMasks } from "./cpu.ts";
import { messageText } from "./log-record.ts";

export interface SafeBuffer {
  readonly name: string;
  readonly cpu: number;
  readonly address: bigint;
  readonly length: number;
  readonly lost: number;
  readonly text: string;
}

/** Buffers of all CPUs; undefined when this kernel has none or its symbols are missing. @throws FaultError */
export function safeBuffers(kernel: Kernel): readonly SafeBuffer[] | undefined {
  // struct nmi_seq_buf until 4.11 (f92bac3b141b).
  const struct = kernel.types.tryStruct("printk_safe_seq_buf") ?? kernel.types.tryStruct("nmi_seq_buf");
  const names = ["nmi_print_seq", "safe_print_seq"].filter((name) => kernel.tryAddress(name) !== undefined);
  if (struct === undefined || names.length === 0) return undefined;
  const length = struct.tryField("len.counter") ?? struct.field("len");
  const lost = struct.tryField("message_lost.counter") ?? struct.tryField("message_lost");
  const buffer = struct.field("buffer");
  const found: SafeBuffer[] = [];
  for (const name of names) {
    for (const cpu of cpuMasks(kernel).possible) {
      if (kernel.perCpuOffsets[cpu] === undefined) continue;
      const address = kernel.perCpuAddress(kernel.address(name), cpu);
      const used = Math.min(length.number(address) >>> 0, buffer.size);
      const text = used === 0 ? "" : messageText(kernel.memory.bytes(buffer.address(address), used));
      found.push({ name, cpu, address, length: used, lost: lost?.number(address) ?? 0, text });
    }
  }
  return found;
}
