/**
 * Interrupts (kernel/irq/): descriptors, their handlers, where they go and how often they came.
 *
 *   sparse_irqs    maple tree of struct irq_desc (6.5+, 721255b9826b)          CONFIG_SPARSE_IRQ
 *   irq_desc_tree  radix tree, an xarray since 4.20
 *   irq_desc[]     an array, without CONFIG_SPARSE_IRQ
 *   sysfs          where none of these is among the symbols (irq-sysfs.ts)
 *
 *   irq_desc ─┬─ action ─► irqaction { name, handler, thread, next }           shared lines have several
 *             ├─ irq_common_data.affinity (irq_data.affinity until 4.2, 9df872faa7e1; none without SMP since 6.0, aa0813581b8d)
 *             ├─ irq_data.chip ─► irq_chip.name; irq_data.hwirq; name: "edge", "fasteoi" …
 *             └─ kstat_irqs: per-CPU counter; since 6.10 (99cf63c56b9e) struct irqstat, which begins with it
 */
import { add, type VirtualAddress, virtual } from "../bytes/address.ts";
import { LookupError } from "../bytes/errors.ts";
import { strip } from "../debug-info/c-type.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { Struct } from "../kernel/types.ts";
import { cpuMasks, readCpuMask } from "./cpu.ts";
import { attempt, gather } from "./gather.ts";
import { irqsOfSysfs } from "./irq-sysfs.ts";
import { mapleEntries, mapleLayout } from "./maple-tree.ts";
import { xarrayEntries, xarrayLayout } from "./xarray.ts";

/** include/linux/irq.h: in irq_desc.status_use_accessors (4.15+, 1c39a8df4be6), in irq_common_data.state_use_accessors. */
const IRQ_HIDDEN = 1 << 20;
const IRQD_LEVEL = 1 << 13;

/** IRQ_BITMAP_BITS is NR_IRQS + 8196; since 6.5 INT_MAX, of which only a part can be in use. */
const MAX_DESCRIPTORS = 1 << 17;
/** Handlers of one line. */
const MAX_ACTIONS = 256;

export interface IrqAction {
  /** struct irqaction. */
  readonly address: VirtualAddress;
  readonly name: string;
  readonly handler: VirtualAddress;
  /** task_struct of a threaded handler. */
  readonly thread: VirtualAddress | undefined;
}

export interface IrqDescriptor {
  readonly irq: number;
  /** struct irq_desc. */
  readonly address: VirtualAddress;
  readonly actions: readonly IrqAction[];
  /** "IO-APIC", "ITS-MSI" …; undefined: no chip, or none that has a name. */
  readonly chip: string | undefined;
  /** "edge", "fasteoi" …; undefined where the kernel keeps no name. */
  readonly flow: string | undefined;
  readonly hardwareIrq: number | undefined;
  /** IRQD_LEVEL. */
  readonly level: boolean;
  /** Left out of /proc/interrupts: an IPI (IRQ_HIDDEN), or a line that only leads to others (chained). */
  readonly hidden: boolean;
  /** CPUs that may get it; undefined without SMP. */
  readonly affinity: readonly number[] | undefined;
}

/** All descriptors by number. @throws LookupError when they cannot be located */
export function irqDescriptors(kernel: Kernel, notes: string[]): readonly IrqDescriptor[] {
  const struct = kernel.types.tryStruct("irq_desc");
  if (struct === undefined) throw new LookupError("interrupts cannot be read: struct irq_desc is not known");
  const bySymbol = ["sparse_irqs", "irq_desc_tree", "irq_desc"].some((name) => kernel.tryAddress(name) !== undefined);
  const bySysfs = bySymbol ? [] : (attempt(() => irqsOfSysfs(kernel), notes, "/sys/kernel/irq") ?? []);
  if (!bySymbol && bySysfs.length === 0) throw kernel.unknownSymbol("irq_desc_tree", []);
  return gather(bySymbol ? located(kernel, struct) : bySysfs[Symbol.iterator](), notes, "interrupt descriptors", MAX_DESCRIPTORS).map(
    ({ irq, address }) => readDescriptor(kernel, struct, irq, address, notes),
  );
}

/** How many interrupt numbers there are: total_nr_irqs (6.13+, 5a8ef0a65f3a) or nr_irqs. */
export function irqCount(kernel: Kernel): number | undefined {
  const address = kernel.tryAddress("total_nr_irqs") ?? kernel.tryAddress("nr_irqs");
  return address === undefined ? undefined : kernel.memory.tryU32(address);
}

type Place = { readonly irq: number; readonly address: VirtualAddress };

function* located(kernel: Kernel, struct: Struct): Generator<Place> {
  const maple = kernel.tryAddress("sparse_irqs");
  const tree = kernel.tryAddress("irq_desc_tree");
  const array = kernel.tryAddress("irq_desc");
  if (maple !== undefined) {
    const layout = mapleLayout(kernel.types);
    const root = kernel.types.tryStruct("maple_tree")?.tryField("ma_root");
    if (layout === undefined || root === undefined) throw new LookupError("struct maple_node is not known");
    for (const { first, entry } of mapleEntries(kernel.memory, layout, root.pointer(maple))) yield { irq: Number(first), address: entry };
  } else if (tree !== undefined) {
    const layout = xarrayLayout(kernel.types);
    const root = kernel.types.tryStruct("xarray")?.tryField("xa_head") ?? kernel.types.tryStruct("radix_tree_root")?.tryField("rnode");
    if (layout === undefined || root === undefined) throw new LookupError("the layout of radix trees is not known");
    for (const { index, entry } of xarrayEntries(kernel.memory, layout, root.pointer(tree))) yield { irq: index, address: entry };
  } else {
    const count = Math.min(irqCount(kernel) ?? 0, MAX_DESCRIPTORS);
    for (let irq = 0; irq < count; irq++) yield { irq, address: add(array as VirtualAddress, irq * struct.size) };
  }
}

function readDescriptor(kernel: Kernel, struct: Struct, irq: number, address: VirtualAddress, notes: string[]): IrqDescriptor {
  const where = `IRQ ${irq}, irq_desc ${address.toString(16)}`;
  const text = (pointer: bigint | undefined) =>
    pointer === undefined || pointer === 0n ? undefined : attempt(() => kernel.memory.cString(virtual(pointer), 64), notes, where);
  const chip = attempt(() => struct.tryField("irq_data.chip")?.pointer(address) ?? 0n, notes, where) ?? 0n;
  const chipName = kernel.types.tryStruct("irq_chip")?.tryField("name");
  const actions = gather(actionsOf(kernel, struct, address), notes, where);
  const number = (path: string) => attempt(() => struct.tryField(path)?.number(address), notes, where) ?? 0;
  const chained = actions.some(({ handler }) => kernel.symbolize(handler) === "bad_chained_irq");
  return {
    irq,
    address,
    actions,
    level: (number("irq_common_data.state_use_accessors") & IRQD_LEVEL) !== 0,
    hidden: chained || (number("status_use_accessors") & IRQ_HIDDEN) !== 0,
    chip: chip === 0n ? undefined : text(attempt(() => chipName?.pointer(virtual(chip)), notes, where)),
    flow: text(attempt(() => struct.tryField("name")?.pointer(address), notes, where)),
    hardwareIrq: attempt(() => struct.tryField("irq_data.hwirq")?.number(address), notes, where),
    affinity: attempt(() => affinityOf(kernel, struct, address), notes, where),
  };
}

function* actionsOf(kernel: Kernel, struct: Struct, descriptor: VirtualAddress): Generator<IrqAction> {
  const type = kernel.types.struct("irqaction");
  const seen = new Set<bigint>();
  let address = struct.field("action").pointer(descriptor);
  while (address !== 0n) {
    if (seen.has(address) || seen.size >= MAX_ACTIONS) throw new LookupError(`its handlers run in a circle at ${address.toString(16)}`);
    seen.add(address);
    const name = type.field("name").pointer(address);
    const thread = type.tryField("thread")?.pointer(address) ?? 0n;
    yield {
      address,
      name: name === 0n ? "" : kernel.memory.cString(name, 64),
      handler: type.field("handler").pointer(address),
      thread: thread === 0n ? undefined : virtual(thread),
    };
    address = type.field("next").pointer(address);
  }
}

/** The mask lies in the structure, or behind a pointer with CONFIG_CPUMASK_OFFSTACK. */
function affinityOf(kernel: Kernel, struct: Struct, descriptor: VirtualAddress): readonly number[] | undefined {
  const field = struct.firstField("irq_common_data.affinity", "irq_data.affinity");
  if (field === undefined) return undefined;
  const pointed = strip(field.type).kind === "pointer";
  const at = pointed ? field.pointer(descriptor) : field.address(descriptor);
  if (at === 0n) return undefined;
  // A mask behind a pointer is only as long as there are CPUs; what follows it is something else.
  const { possible } = cpuMasks(kernel);
  return readCpuMask(kernel, virtual(at)).filter((cpu) => possible.includes(cpu));
}

/** How often a line's interrupt came on a CPU. @throws FaultError */
export function irqCountOn(kernel: Kernel, descriptor: VirtualAddress, cpu: number): number {
  const pointer = kernel.types.struct("irq_desc").field("kstat_irqs").pointer(descriptor);
  return pointer === 0n ? 0 : kernel.memory.u32(kernel.perCpuAddress(pointer, cpu));
}
