/**
 * Exported symbols (EXPORT_SYMBOL, EXPORT_SYMBOL_GPL) found without knowing where their tables lie: an entry holds its own name, so one
 * known export leads to all of them. Source: include/linux/export.h, include/asm-generic/vmlinux.lds.h (RO_DATA).
 *
 *   PREL32 (4.19 on)  { s32 value − here, s32 name − here, s32 namespace − here }       12 bytes; 8 before 5.4
 *   __ksymtab, then __ksymtab_gpl follow each other, each sorted by name.
 */
import { add, distance, type VirtualAddress, virtual } from "../bytes/address.ts";
import type { KernelSymbol, SymbolTable } from "../debug-info/symbols.ts";
import type { Memory } from "./address-space.ts";
import type { ImageChunk } from "./kernel-image.ts";

/** Functions that have been exported for as long as kernels have been; the first that kallsyms lists is the anchor. */
const ANCHORS = ["kfree", "vfree", "printk", "_printk", "strlen", "memcpy"];
const MAX_ENTRIES = 200_000;
const NAME = /^[A-Za-z_][A-Za-z0-9_.]{0,511}$/;

interface Entry {
  readonly name: string;
  readonly address: VirtualAddress;
}

/** All exports by name; empty when no table was found. */
export function findExports(memory: Memory, kallsyms: SymbolTable, image: () => Iterable<ImageChunk>): Map<string, KernelSymbol> {
  const found = new Map<string, KernelSymbol>();
  for (const name of ANCHORS) {
    const anchor = kallsyms.byName(name);
    if (anchor === undefined) continue;
    const entry = findEntry(memory, image(), anchor);
    if (entry === undefined) continue;
    const size = [12, 8].find((candidate) => readEntry(memory, add(entry, candidate)) !== undefined);
    if (size === undefined) continue;
    for (const direction of [size, -size]) {
      for (const { name: exported, address } of entries(memory, entry, direction)) {
        found.set(exported, { name: exported, address, type: kallsyms.byName(exported)?.type ?? "D", module: undefined, size: undefined });
      }
    }
    return found;
  }
  return found;
}

/** The place of an entry whose value is this address and whose name is this name. */
function findEntry(
  memory: Memory,
  image: Iterable<ImageChunk>,
  anchor: { readonly name: string; readonly address: VirtualAddress },
): VirtualAddress | undefined {
  for (const chunk of image) {
    const words = new Int32Array(chunk.bytes.buffer, chunk.bytes.byteOffset, chunk.bytes.byteLength >> 2);
    // A value is relative to its own place: word[i] + 4 i is the same number for every i that points to the anchor.
    const wanted = distance(anchor.address, chunk.address) | 0;
    for (let i = 0; i < words.length; i++) {
      if ((((words[i] as number) + i * 4) | 0) !== wanted) continue;
      const here = add(chunk.address, i * 4);
      if (readEntry(memory, here)?.name === anchor.name) return here;
    }
  }
  return undefined;
}

function* entries(memory: Memory, from: VirtualAddress, step: number): Iterable<Entry> {
  let here = from;
  for (let count = 0; count < MAX_ENTRIES; count++) {
    let entry = readEntry(memory, here);
    if (entry === undefined) {
      // Between the two tables lie at most four bytes of alignment.
      here = add(here, Math.sign(step) * 4);
      entry = readEntry(memory, here);
      if (entry === undefined) return;
    }
    yield entry;
    here = add(here, step);
  }
}

function readEntry(memory: Memory, at: VirtualAddress): Entry | undefined {
  const value = memory.tryU32(at);
  const nameOffset = memory.tryU32(add(at, 4));
  if (value === undefined || nameOffset === undefined || nameOffset === 0) return undefined;
  const nameAt = add(at, 4 + (nameOffset | 0));
  if (memory.tryU32(virtual(nameAt & ~3n)) === undefined) return undefined;
  const name = memory.cString(nameAt, 513);
  return NAME.test(name) ? { name, address: add(at, value | 0) } : undefined;
}
