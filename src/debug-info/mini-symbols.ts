/**
 * .gnu_debugdata ("MiniDebugInfo", GDB manual): an ELF file within an ELF file, packed by xz, that holds the symbols of functions which
 * .symtab would have held.
 */

import { FormatError } from "../bytes/errors.ts";
import { MemorySource } from "../bytes/memory-source.ts";
import { unxz } from "../bytes/xz.ts";
import { Elf } from "./elf.ts";
import { ElfSymbols } from "./elf-symbols.ts";

/** A kernel's symbol table is below 20 MB. */
const MAX_UNPACKED = 256 << 20;

/** Its symbols; undefined when the file has none. Throws FormatError. */
export function miniSymbols(elf: Elf): ElfSymbols | undefined {
  const section = elf.section(".gnu_debugdata");
  if (section === undefined || !elf.hasContent(section)) return undefined;
  const unpacked = unxz(elf.read(section), MAX_UNPACKED);
  const name = `${elf.source.name}(.gnu_debugdata)`;
  if (typeof unpacked === "string") throw new FormatError(name, unpacked);
  return ElfSymbols.open(Elf.open(new MemorySource(name, unpacked)));
}
