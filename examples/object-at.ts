/**
 * What lies at an address: a symbol, a module's memory, a task's stack or task_struct, a slab object; and its first words, named.
 *
 *   inquest script examples/object-at.ts vmcore -- ffff888003a4c890
 *
 * Without an address it takes the first register of the panicking frame that leads into a slab. Kernel side: struct kmem_cache (mm/slab.h,
 * include/linux/slub_def.h), task_struct.stack.
 */
import { InquestError, type Kernel } from "inquest";

const hex = (address: bigint): string => `0x${address.toString(16)}`;

function* places(kernel: Kernel, address: bigint): Generator<string> {
  const at = kernel.symbolAt(address);
  if (at !== undefined && at.offset < (at.symbol.size ?? 0)) yield `symbol ${at.symbol.name} + ${at.offset}`;
  for (const { name, regions } of kernel.modules) {
    const region = regions.find(({ start, size }) => address >= start && address < start + BigInt(size));
    if (region !== undefined) yield `module ${name}, ${region.kind}`;
  }
  const stackBytes = BigInt(kernel.machine.threadSize);
  const taskBytes = BigInt(kernel.object("struct task_struct", 0n).size);
  for (const task of kernel.tasks()) {
    const stack = task.struct.get("stack").bigint();
    if (address >= stack && address < stack + stackBytes) yield `stack of ${task}, ${address - stack} bytes above its end`;
    if (address >= task.address && address < task.address + taskBytes) yield `task_struct of ${task}, at byte ${address - task.address}`;
  }
  try {
    const slab = kernel.slabObject(address);
    if (slab !== undefined) yield `slab object of ${slab.cache}, at byte ${address - slab.object}`;
  } catch (error) {
    if (!(error instanceof InquestError)) throw error;
    yield `(slabs: ${error.message})`;
  }
}

/** The first register of the panicking frame that leads into a slab; init_task where none does. */
function suspect(kernel: Kernel): bigint {
  const registers = kernel.panicTask?.stack().frames[0]?.registers ?? {};
  const found = Object.values(registers).find((value) => {
    try {
      return kernel.slabObject(value) !== undefined;
    } catch {
      return false;
    }
  });
  return found ?? kernel.symbol("init_task").address;
}

export default function (kernel: Kernel, args: readonly string[]): string {
  const [word] = args;
  const address = word === undefined ? suspect(kernel) : BigInt(word.startsWith("0x") ? word : `0x${word}`);
  const found = [...places(kernel, address)];
  const lines = [hex(address), ...(found.length === 0 ? ["  nothing that is known"] : found.map((each) => `  ${each}`))];
  for (let i = 0n; i < 8n; i++) {
    const value = kernel.memory.tryU64(address + i * 8n);
    if (value === undefined) break;
    const name = kernel.symbolize(value);
    lines.push(`  +${String(i * 8n).padEnd(3)} ${value.toString(16).padStart(16, "0")}${name === undefined ? "" : `  ${name}`}`);
  }
  return lines.join("\n");
}
