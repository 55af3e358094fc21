/**
 * Interrupt descriptors by way of sysfs, for kernels whose symbols do not tell where their table is: /sys/kernel/irq has a directory for
 * each (4.9+, ecb3f394c5db; CONFIG_SPARSE_IRQ, kernel/irq/irqdesc.c).
 *
 *   kernel_kobj (exported) ─► sd: kernfs_node "kernel" ─ dir.children ─► kernfs_node "irq" ─ dir.children ─► kernfs_node "11"
 *                                                                                                          │ priv
 *                                                                      irq_desc { …, irq_data.irq = 11, kobj ◄┘ }
 */
import { type VirtualAddress, virtual } from "../bytes/address.ts";
import { containerOf } from "../kernel/field.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { rbtreeNodes } from "./rbtree.ts";

/** Entries of a directory that are gone through. */
const MAX_ENTRIES = 1 << 17;
const MAX_NAME = 32;

/** By ascending number; nothing where sysfs does not lead there. @throws FaultError when part of it cannot be read */
export function irqsOfSysfs(kernel: Kernel): readonly { readonly irq: number; readonly address: VirtualAddress }[] {
  const pointer = kernel.tryAddress("kernel_kobj");
  const directory = kernel.types.tryStruct("kobject")?.tryField("sd");
  const embedded = kernel.types.tryStruct("irq_desc")?.tryField("kobj");
  const number = kernel.types.tryStruct("irq_desc")?.tryField("irq_data.irq");
  const shared = pointer === undefined ? 0n : kernel.memory.u64(pointer);
  if (shared === 0n || directory === undefined || embedded === undefined || number === undefined) return [];
  const top = directory.pointer(virtual(shared));
  const irqs = entries(kernel, top).find(({ name }) => name === "irq");
  if (irqs === undefined) return [];
  return entries(kernel, irqs.node)
    .flatMap(({ name, priv }) => {
      const irq = /^\d+$/.test(name) ? Number(name) : undefined;
      if (irq === undefined || priv === 0n) return [];
      const address = containerOf(virtual(priv), embedded);
      // What links there must say the same of itself.
      return number.number(address) === irq ? [{ irq, address }] : [];
    })
    .sort((a, b) => a.irq - b.irq);
}

function entries(
  kernel: Kernel,
  node: VirtualAddress,
): readonly { readonly node: VirtualAddress; readonly name: string; readonly priv: bigint }[] {
  const struct = kernel.types.tryStruct("kernfs_node");
  const [children, link, name, priv] = [
    struct?.tryField("dir.children"),
    struct?.tryField("rb"),
    struct?.tryField("name"),
    struct?.tryField("priv"),
  ];
  if (children === undefined || link === undefined || name === undefined || priv === undefined) return [];
  return [...rbtreeNodes(kernel.memory, children.address(node), MAX_ENTRIES)].map((each) => {
    const found = containerOf(each, link);
    return { node: found, name: kernel.memory.cString(name.pointer(found), MAX_NAME), priv: priv.pointer(found) };
  });
}
