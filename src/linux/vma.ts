/**
 * Mappings of a process: struct vm_area_struct, in address order.
 *
 *   6.1+    mm.mm_mt, a maple tree                  (d4af56c5c7c6)
 *   before  mm.mmap, a chain by vm_next              (mm_rb holds the same)
 */
import type { VirtualAddress } from "../bytes/address.ts";
import { CorruptionError } from "../bytes/errors.ts";
import type { Field } from "../kernel/field.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { type MapleLayout, mapleEntries, mapleFind, mapleLayout } from "./maple-tree.ts";

/** vm.max_map_count may be raised, never beyond an int. */
const MAX_MAPPINGS = 1 << 23;

export interface Vma {
  readonly address: VirtualAddress;
  readonly start: VirtualAddress;
  /** Exclusive. */
  readonly end: VirtualAddress;
  readonly flags: bigint;
  /** struct file, 0 for anonymous memory. */
  readonly file: VirtualAddress;
  /** Offset in the file in pages. */
  readonly pageOffset: bigint;
}

interface Layout {
  readonly tree: { readonly layout: MapleLayout; readonly root: Field } | undefined;
  readonly first: Field | undefined;
  readonly next: Field | undefined;
  readonly start: Field;
  readonly end: Field;
  readonly flags: Field;
  readonly file: Field;
  readonly pageOffset: Field;
}

function vmaLayout(kernel: Kernel): Layout {
  return kernel.memo(vmaLayout, () => {
    const mm = kernel.types.struct("mm_struct");
    const vma = kernel.types.struct("vm_area_struct");
    const maple = mapleLayout(kernel.types);
    const root = mm.tryField("mm_mt.ma_root");
    return {
      tree: maple === undefined || root === undefined ? undefined : { layout: maple, root },
      first: mm.tryField("mmap"),
      next: vma.tryField("vm_next"),
      start: vma.field("vm_start"),
      end: vma.field("vm_end"),
      flags: vma.field("vm_flags"),
      file: vma.field("vm_file"),
      pageOffset: vma.field("vm_pgoff"),
    };
  });
}

/** All mappings. @throws CorruptionError where the tree or chain breaks; those before it have been yielded */
export function* vmas(kernel: Kernel, mm: VirtualAddress): Generator<Vma, void, undefined> {
  const layout = vmaLayout(kernel);
  if (layout.tree !== undefined) {
    for (const { entry } of mapleEntries(kernel.memory, layout.tree.layout, layout.tree.root.pointer(mm), MAX_MAPPINGS)) {
      yield readVma(layout, entry);
    }
    return;
  }
  if (layout.first === undefined || layout.next === undefined) return;
  let count = 0;
  let previousEnd = 0n;
  for (let at = layout.first.pointer(mm); at !== 0n; at = layout.next.pointer(at)) {
    if (++count > MAX_MAPPINGS) throw new CorruptionError("vm_area_struct", `more than ${MAX_MAPPINGS} mappings`, at);
    const vma = readVma(layout, at);
    // Ascending starts also rule out a circle.
    if (vma.start < previousEnd || vma.end <= vma.start)
      throw new CorruptionError("vm_area_struct", "its range does not lie behind the one before", at);
    previousEnd = vma.end;
    yield vma;
  }
}

/** The mapping that holds a user address. */
export function findVma(kernel: Kernel, mm: VirtualAddress, address: VirtualAddress): Vma | undefined {
  const layout = vmaLayout(kernel);
  if (layout.tree !== undefined) {
    const found = mapleFind(kernel.memory, layout.tree.layout, layout.tree.root.pointer(mm), address);
    return found === undefined ? undefined : readVma(layout, found.entry);
  }
  for (const vma of vmas(kernel, mm)) {
    if (address < vma.start) return undefined;
    if (address < vma.end) return vma;
  }
  return undefined;
}

function readVma(layout: Layout, address: VirtualAddress): Vma {
  return {
    address,
    start: layout.start.pointer(address),
    end: layout.end.pointer(address),
    flags: layout.flags.pointer(address),
    file: layout.file.pointer(address),
    pageOffset: layout.pageOffset.pointer(address),
  };
}
