/**
 * Sections of a loaded module and where they lie, as /sys/module/NAME/sections shows them (kernel/module/sysfs.c).
 *
 *   module.sect_attrs ─► module_sect_attrs
 *     6.14+      grp.bin_attrs ─► NULL-ended pointers ─► bin_attribute { attr.name, private = address }   (d8959b947a8d)
 *     5.8–6.13   nsections, attrs[] { battr.attr.name, address }
 *     before     nsections, attrs[] { mattr, name, address }
 */
import { add, type VirtualAddress } from "../bytes/address.ts";
import type { Kernel } from "../kernel/kernel.ts";

/** An ELF file has fewer sections than this in practice; -ffunction-sections may give thousands. */
const MAX_SECTIONS = 1 << 16;

export interface ModuleSection {
  readonly name: string;
  readonly address: VirtualAddress;
}

/** Sections in the order of the object file; empty when the kernel kept none (no CONFIG_SYSFS). @throws FaultError */
export function moduleSections(kernel: Kernel, module: VirtualAddress): readonly ModuleSection[] {
  const { types, memory } = kernel;
  const pointer = types.struct("module").tryField("sect_attrs");
  const struct = types.tryStruct("module_sect_attrs");
  const table = pointer?.pointer(module) ?? (0n as VirtualAddress);
  if (struct === undefined || table === 0n) return [];
  const sections: ModuleSection[] = [];
  const count = struct.tryField("nsections");
  if (count === undefined) {
    const attribute = types.struct("bin_attribute");
    const name = attribute.field("attr.name");
    const address = attribute.field("private");
    let slot = struct.field("grp.bin_attrs").pointer(table);
    for (let i = 0; i < MAX_SECTIONS && slot !== 0n; i++, slot = add(slot, 8)) {
      const entry = memory.u64(slot) as VirtualAddress;
      if (entry === 0n) break;
      sections.push({ name: memory.cString(name.pointer(entry), 256), address: address.pointer(entry) });
    }
    return sections;
  }
  const attribute = types.struct("module_sect_attr");
  const name = attribute.tryField("battr.attr.name") ?? attribute.field("name");
  const address = attribute.field("address");
  const first = struct.field("attrs").address(table);
  const total = Math.min(count.number(table), MAX_SECTIONS);
  for (let i = 0; i < total; i++) {
    const at = add(first, i * attribute.size);
    sections.push({ name: memory.cString(name.pointer(at), 256), address: address.pointer(at) });
  }
  return sections;
}
