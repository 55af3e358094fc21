/**
 * The lines of /proc/interrupts that are no interrupt lines: those of the local APIC on x86-64, IPIs on arm64.
 *
 *   x86-64  per-CPU irq_stat: irq_cpustat_t, one member a kind; since 7.1 one array counts[], named by irq_stat_info[] { symbol, text }
 *           per-CPU mce_exception_count, mce_poll_count; global irq_err_count, irq_mis_count
 *   arm64   ipi_desc[] (5.10+, d3afc7f12987), pcpu_ipi_desc[] per CPU (6.19+): struct irq_desc of each IPI, its counts as those of any
 *           interrupt; ipi_types[] names them; irq_err_count
 */
import { add, type VirtualAddress, virtual } from "../bytes/address.ts";
import { strip } from "../debug-info/c-type.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { attempt } from "./gather.ts";
import { irqCountOn } from "./irq.ts";

/** NR_IPI and MAX_IPI stay below it; irq_stat_info has 24. */
const MAX_KINDS = 64;

/** A line of /proc/interrupts that is no device's: "LOC", "IPI0" … */
export interface ArchitectureCount {
  /** "LOC", "IPI0" … */
  readonly label: string;
  readonly text: string;
  /** One a CPU that was asked for; of a machine-wide counter one. */
  readonly counts: readonly number[];
}

/** Members of irq_cpustat_t until 7.0, in the order of arch_show_interrupts(). */
const X86_MEMBERS: readonly (readonly [label: string, member: string, text: string])[] = [
  ["NMI", "__nmi_count", "Non-maskable interrupts"],
  ["LOC", "apic_timer_irqs", "Local timer interrupts"],
  ["SPU", "irq_spurious_count", "Spurious interrupts"],
  ["PMI", "apic_perf_irqs", "Performance monitoring interrupts"],
  ["IWI", "apic_irq_work_irqs", "IRQ work interrupts"],
  ["RTR", "icr_read_retry_count", "APIC ICR read retries"],
  ["PLT", "x86_platform_ipis", "Platform interrupts"],
  ["RES", "irq_resched_count", "Rescheduling interrupts"],
  ["CAL", "irq_call_count", "Function call interrupts"],
  ["TLB", "irq_tlb_count", "TLB shootdowns"],
  ["TRM", "irq_thermal_count", "Thermal event interrupts"],
  ["THR", "irq_threshold_count", "Threshold APIC interrupts"],
  ["DFR", "irq_deferred_error_count", "Deferred Error APIC interrupts"],
  ["MCE", "mce_exception_count", "Machine check exceptions"],
  ["MCP", "mce_poll_count", "Machine check polls"],
  ["HYP", "irq_hv_callback_count", "Hypervisor callback interrupts"],
  ["HRE", "irq_hv_reenlightenment_count", "Hyper-V reenlightenment interrupts"],
  ["HVS", "hyperv_stimer0_count", "Hyper-V stimer0 interrupts"],
  ["ERR", "irq_err_count", ""],
  ["MIS", "irq_mis_count", ""],
  ["PIN", "kvm_posted_intr_ipis", "Posted-interrupt notification event"],
  ["NPI", "kvm_posted_intr_nested_ipis", "Nested posted-interrupt event"],
  ["PIW", "kvm_posted_intr_wakeup_ipis", "Posted-interrupt wakeup event"],
];

/** The lines, in the kernel's order. What this kernel does not count, or does not list among its symbols, is left out. */
export function architectureCounts(kernel: Kernel, cpus: readonly number[], notes: string[]): readonly ArchitectureCount[] {
  return kernel.arch.name === "x86_64" ? x86Counts(kernel, cpus, notes) : armCounts(kernel, cpus, notes);
}

function x86Counts(kernel: Kernel, cpus: readonly number[], notes: string[]): readonly ArchitectureCount[] {
  const base = kernel.tryAddress("irq_stat");
  const struct = kernel.types.tryStruct("irq_cpustat_t");
  if (struct?.has("counts") === true) return countedArray(kernel, cpus, notes);
  return X86_MEMBERS.flatMap(([label, member, text]) => {
    const field = struct?.tryField(member);
    const own = kernel.tryAddress(member);
    if (own !== undefined && text === "") {
      const count = attempt(() => kernel.memory.u32(own), notes, member);
      return count === undefined ? [] : [{ label, text, counts: [count] }];
    }
    const at = field !== undefined && base !== undefined ? add(base, field.offset) : text === "" ? undefined : own;
    const line = at === undefined ? [] : perCpuLine(kernel, label, text, at, cpus, notes);
    return OPTIONAL.has(label) ? line.filter(({ counts }) => counts.some((count) => count > 0)) : line;
  });
}

/** Shown only where their vector is in use (system_vectors, x86_platform_ipi_callback): where it ever came. */
const OPTIONAL = new Set(["PLT", "HYP", "HRE", "HVS"]);

/** Kinds without a name are not in use on this machine. */
function countedArray(kernel: Kernel, cpus: readonly number[], notes: string[]): readonly ArchitectureCount[] {
  const base = kernel.tryAddress("irq_stat");
  const names = kernel.tryAddress("irq_stat_info");
  const info = kernel.types.tryStruct("irq_stat_info");
  const counts = kernel.types.tryStruct("irq_cpustat_t")?.tryField("counts");
  const kinds = kernel.types.find("enum", "irq_stat_counts", { modules: false });
  if (base === undefined || names === undefined || info === undefined || counts === undefined) return [];
  // The highest constant is the number of kinds.
  const total = kinds?.kind === "enum" ? Math.max(0, ...kinds.enumerators.map(({ value }) => Number(value))) : counts.size / 4;
  return Array.from({ length: Math.min(total, MAX_KINDS) }, (_, i) => i).flatMap((i) => {
    const at = add(names, i * info.size);
    const label = attempt(() => stringAt(kernel, info.field("symbol").pointer(at)), notes, `irq_stat_info[${i}]`);
    const text = attempt(() => stringAt(kernel, info.field("text").pointer(at)), notes, `irq_stat_info[${i}]`);
    if (label === undefined || label === "") return [];
    const line = perCpuLine(kernel, label, (text ?? "").trim(), add(base, counts.offset + i * 4), cpus, notes);
    // skip_vector hides a kind while its vector is not in use (~0: until it is first counted).
    const skip = attempt(() => info.field("skip_vector").number(at), notes, `irq_stat_info[${i}]`) ?? 0;
    const optional = OPTIONAL.has(label) || (skip !== 0 && !vectorInUse(kernel, skip));
    return optional ? line.filter(({ counts: each }) => each.some((count) => count > 0)) : line;
  });
}

/** system_vectors: a bit for each of the 256 vectors. */
function vectorInUse(kernel: Kernel, vector: number): boolean {
  const bitmap = kernel.tryAddress("system_vectors");
  const byte = bitmap === undefined || vector > 255 ? undefined : kernel.memory.tryBytes(add(bitmap, vector >> 3), 1)?.[0];
  return byte !== undefined && ((byte >> (vector & 7)) & 1) === 1;
}

function perCpuLine(
  kernel: Kernel,
  label: string,
  text: string,
  at: VirtualAddress,
  cpus: readonly number[],
  notes: string[],
): readonly ArchitectureCount[] {
  const counts = attempt(() => cpus.map((cpu) => kernel.memory.u32(kernel.perCpuAddress(at, cpu))), notes, label);
  return counts === undefined ? [] : [{ label, text, counts }];
}

function armCounts(kernel: Kernel, cpus: readonly number[], notes: string[]): readonly ArchitectureCount[] {
  const names = kernel.tryAddress("ipi_types");
  const shared = kernel.tryAddress("ipi_desc");
  const own = kernel.tryAddress("pcpu_ipi_desc");
  const lines: ArchitectureCount[] = [];
  const limit = ipiCount(kernel);
  for (let kind = 0; names !== undefined && (shared ?? own) !== undefined && kind < limit; kind++) {
    const pointer = kernel.memory.tryU64(add(names, kind * 8));
    const text = pointer === undefined ? undefined : attempt(() => stringAt(kernel, virtual(pointer)), [], "");
    if (text === undefined || text === "") break;
    const counts = attempt(() => cpus.map((cpu) => ipiCountOn(kernel, kind, cpu, shared, own)), notes, `IPI${kind}`);
    if (counts !== undefined) lines.push({ label: `IPI${kind}`, text, counts });
  }
  const errors = kernel.tryAddress("irq_err_count");
  const count = errors === undefined ? undefined : kernel.memory.tryU32(errors);
  return count === undefined ? lines : [...lines, { label: "Err", text: "", counts: [count] }];
}

/** Names there are: the declared length of ipi_types where it is known, else how far it is to what lies behind it. */
function ipiCount(kernel: Kernel): number {
  const declared = kernel.variableType("ipi_types");
  const array = declared === undefined ? undefined : strip(declared);
  if (array?.kind === "array" && array.length > 0) return Math.min(array.length, MAX_KINDS);
  const size = kernel.symbols.byName("ipi_types")?.size;
  return size === undefined || size === 0 ? 16 : Math.min(MAX_KINDS, Math.floor(size / 8));
}

function ipiCountOn(
  kernel: Kernel,
  kind: number,
  cpu: number,
  shared: VirtualAddress | undefined,
  own: VirtualAddress | undefined,
): number {
  const table = own === undefined ? (shared as VirtualAddress) : kernel.perCpuAddress(own, cpu);
  const descriptor = kernel.memory.u64(add(table, kind * 8));
  return descriptor === 0n ? 0 : irqCountOn(kernel, virtual(descriptor), cpu);
}

function stringAt(kernel: Kernel, pointer: bigint): string | undefined {
  return pointer === 0n ? undefined : kernel.memory.cString(virtual(pointer), 80);
}
