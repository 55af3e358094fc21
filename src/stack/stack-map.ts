/**
 * The stacks of every CPU, and which of them an address lies on. A task's own stack comes from task-stack.ts.
 *
 * x86-64 (arch/x86/kernel/dumpstack_64.c, arch/x86/include/asm/cpu_entry_area.h):
 *   hardirq_stack_ptr   per CPU, top of the IRQ stack (minus 8 since 5.12, commit 951c2a51ae75); softirqs run on it too
 *                       irq_stack_ptr before 5.8; inside pcpu_hot 6.2–6.14
 *   cea_exception_stacks  per CPU, ──► struct cea_exception_stacks inside struct cpu_entry_area (5.1 on)
 *        [DF guard][DF][NMI guard][NMI][DB guard][DB][MCE guard][MCE][VC …]
 *   before 5.1:  irq_stack_union   per CPU, the IRQ stack itself
 *                orig_ist          per CPU, the tops of the exception stacks in the order of the IST; they lie one behind the other
 * arm64 (arch/arm64/kernel/irq.c, sdei.c, traps.c):
 *   irq_stack_ptr, sdei_stack_normal_ptr, sdei_stack_critical_ptr   per CPU, lowest byte; IRQ_STACK_SIZE = THREAD_SIZE
 *   overflow_stack      per CPU, the array itself, 4 KiB
 *   efi_rt_stack_top    one for all (6.2 on)
 */
import { add, alignUp, type VirtualAddress } from "../bytes/address.ts";
import { InquestError } from "../bytes/errors.ts";
import { sizeOf } from "../debug-info/c-type.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { StackArea, StackKind } from "./frame.ts";
import { threadSize, tryWord } from "./task-stack.ts";

const IRQ_STACK_DEFAULT = 16384;
const OVERFLOW_STACK_SIZE = 4096;

/** Member of struct cea_exception_stacks and what its stack is for. */
const EXCEPTION_STACKS: readonly (readonly [string, StackKind])[] = [
  ["DF_stack", "double fault"],
  ["NMI_stack", "nmi"],
  ["DB_stack", "debug"],
  ["MCE_stack", "machine check"],
  ["VC_stack", "vc"],
  ["VC2_stack", "vc2"],
];

/** Exception stacks by number, before 5.1: the first was dropped in 3.18 (6f442be2fb22). */
const IST_STACKS: readonly StackKind[] = ["stack fault", "double fault", "nmi", "debug", "machine check"];
const IST_STACK_SIZE = 4096;
/** The largest, debug's, takes two pages, or four with KASAN. */
const MAX_IST_STACK = 16384;

export class StackMap {
  /** All stacks that belong to CPUs, grouped by CPU in ascending order. */
  readonly areas: readonly StackArea[];

  constructor(areas: readonly StackArea[]) {
    this.areas = areas;
  }

  static of(kernel: Kernel): StackMap {
    return kernel.memo(StackMap, () => new StackMap(kernel.arch.name === "x86_64" ? x86Stacks(kernel) : arm64Stacks(kernel)));
  }

  /** The CPU stack that holds the address; undefined when none does. */
  find(address: bigint): StackArea | undefined {
    for (const area of this.areas) if (address >= area.start && address < area.end) return area;
    return undefined;
  }

  /** Stacks of one CPU. */
  ofCpu(cpu: number): readonly StackArea[] {
    return this.areas.filter((area) => area.cpu === cpu);
  }
}

/** CPUs that have a per-CPU area. */
function possibleCpus(kernel: Kernel): number[] {
  return kernel.perCpuOffsets.flatMap((offset, cpu) => (offset === undefined ? [] : [cpu]));
}

/** The word that a per-CPU pointer variable holds for one CPU. */
function perCpuWord(kernel: Kernel, symbol: VirtualAddress | undefined, cpu: number, offset = 0): bigint | undefined {
  if (symbol === undefined) return undefined;
  try {
    const value = tryWord(kernel, add(kernel.perCpuAddress(symbol, cpu), offset));
    return value === 0n ? undefined : value;
  } catch (error) {
    if (error instanceof InquestError) return undefined;
    throw error;
  }
}

function x86Stacks(kernel: Kernel): StackArea[] {
  const areas: StackArea[] = [];
  const united = kernel.tryAddress("irq_stack_union");
  const unitedSize = kernel.types.find("union", "irq_stack_union", { modules: false });
  const own = united === undefined ? (kernel.tryAddress("hardirq_stack_ptr") ?? kernel.tryAddress("irq_stack_ptr")) : undefined;
  const hot = own === undefined ? kernel.types.tryStruct("pcpu_hot")?.tryField("hardirq_stack_ptr") : undefined;
  const pointer = own ?? (hot === undefined ? undefined : kernel.tryAddress("pcpu_hot"));
  const irqSize = kernel.types.tryStruct("irq_stack")?.size ?? IRQ_STACK_DEFAULT;
  const exceptions = kernel.types.tryStruct("cea_exception_stacks");
  const exceptionPointer = kernel.tryAddress("cea_exception_stacks");
  const entryArea = kernel.types.tryStruct("cpu_entry_area");
  for (const cpu of possibleCpus(kernel)) {
    const top = perCpuWord(kernel, pointer, cpu, hot?.offset ?? 0);
    if (top !== undefined) {
      const end = alignUp(top as VirtualAddress, 16n);
      areas.push({ kind: "irq", start: add(end, -irqSize), end, cpu });
    }
    if (united !== undefined) {
      const start = kernel.perCpuAddress(united, cpu);
      areas.push({ kind: "irq", start, end: add(start, unitedSize === undefined ? IRQ_STACK_DEFAULT : sizeOf(unitedSize)), cpu });
    }
    areas.push(...istStacks(kernel, cpu));
    const stacks = perCpuWord(kernel, exceptionPointer, cpu);
    if (stacks === undefined || exceptions === undefined) continue;
    for (const [member, kind] of EXCEPTION_STACKS) {
      const field = exceptions.tryField(member);
      if (field === undefined || field.size === 0) continue;
      const start = field.address(stacks as VirtualAddress);
      areas.push({ kind, start, end: add(start, field.size), cpu });
    }
    const embedded = entryArea?.tryField("estacks");
    const entry = entryArea?.tryField("entry_stack_page.stack");
    if (embedded === undefined || entry === undefined) continue;
    const start = entry.address(add(stacks as VirtualAddress, -embedded.offset));
    areas.push({ kind: "entry", start, end: add(start, entry.size), cpu });
  }
  return areas;
}

/** Exception stacks by the tops in orig_ist; none where the kernel has no such variable. */
function istStacks(kernel: Kernel, cpu: number): StackArea[] {
  const symbol = kernel.tryAddress("orig_ist");
  const tops: bigint[] = [];
  for (let i = 0; i < IST_STACKS.length; i++) {
    const top = perCpuWord(kernel, symbol, cpu, i * 8);
    if (top === undefined) break;
    tops.push(top);
  }
  const kinds = IST_STACKS.slice(IST_STACKS.length - tops.length);
  return tops.map((top, i) => {
    const below = top - (tops[i - 1] ?? top - BigInt(IST_STACK_SIZE));
    const size = below > 0n && below <= BigInt(MAX_IST_STACK) ? Number(below) : IST_STACK_SIZE;
    return { kind: kinds[i] as StackKind, start: add(top as VirtualAddress, -size), end: top as VirtualAddress, cpu };
  });
}

function arm64Stacks(kernel: Kernel): StackArea[] {
  const areas: StackArea[] = [];
  const size = threadSize(kernel);
  const overflow = kernel.tryAddress("overflow_stack");
  for (const cpu of possibleCpus(kernel)) {
    for (const [symbol, kind] of [
      ["irq_stack_ptr", "irq"],
      ["sdei_stack_normal_ptr", "sdei"],
      ["sdei_stack_critical_ptr", "sdei"],
    ] as const) {
      const start = perCpuWord(kernel, kernel.tryAddress(symbol), cpu) as VirtualAddress | undefined;
      if (start !== undefined) areas.push({ kind, start, end: add(start, size), cpu });
    }
    if (overflow !== undefined) {
      const start = kernel.perCpuAddress(overflow, cpu);
      areas.push({ kind: "overflow", start, end: add(start, OVERFLOW_STACK_SIZE), cpu });
    }
  }
  const efiTop = kernel.tryAddress("efi_rt_stack_top");
  const efiEnd = efiTop === undefined ? undefined : (tryWord(kernel, efiTop) as VirtualAddress | undefined);
  if (efiEnd !== undefined && efiEnd !== 0n) areas.push({ kind: "efi", start: add(efiEnd, -size), end: efiEnd, cpu: undefined });
  return areas;
}
