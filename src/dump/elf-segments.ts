/**
 * Program headers of a 64-bit ELF core as columns of typed arrays: /proc/vmcore of a big machine has a hundred thousand.
 * Layout: include/uapi/linux/elf.h, Elf64_Phdr, 56 bytes each.
 *
 *   0 p_type u32 | 4 p_flags u32 | 8 p_offset | 16 p_vaddr | 24 p_paddr | 32 p_filesz | 40 p_memsz | 48 p_align   (u64 each)
 *
 * With 0xffff (PN_XNUM) in e_phnum the true number is sh_info (u32 at 44) of section header 0.
 */
import type { ByteSource } from "../bytes/byte-source.ts";
import { Cursor } from "../bytes/cursor.ts";
import { FormatError } from "../bytes/errors.ts";
import { readUpTo } from "../bytes/read-bytes.ts";
import type { ElfHeader } from "./elf-header.ts";

export const PT_LOAD = 1;
export const PT_NOTE = 4;

const PN_XNUM = 0xffff;
const PHDR_SIZE = 56;
const SECTION_INFO = 44;
/** Headers read at a time. */
const BATCH = 1024;
/** More program headers than this are not a dump but damage; the largest machines have some hundred thousand. */
const MAX_HEADERS = 1 << 21;

/** One row per PT_LOAD or PT_NOTE header, in file order. */
export interface ElfSegments {
  readonly count: number;
  /** Headers that the file header promises, and that were not there. */
  readonly missing: number;
  readonly types: Uint8Array;
  readonly offsets: Float64Array;
  readonly virtuals: BigUint64Array;
  readonly physicals: BigUint64Array;
  readonly fileSizes: Float64Array;
  readonly memorySizes: Float64Array;
  readonly alignments: Float64Array;
}

/** Reads the program headers; a table cut short by the end of the file gives those that are there. */
export function readSegments(source: ByteSource, header: ElfHeader): ElfSegments {
  const promised = headerCount(source, header);
  if (header.phentsize < PHDR_SIZE) {
    throw new FormatError(source.name, `program headers are ${header.phentsize} bytes each, expected ${PHDR_SIZE}`, 54);
  }
  if (promised > MAX_HEADERS) throw new FormatError(source.name, `the file claims ${promised} program headers`, header.phoff);
  // Live files may not know their size; they cannot have more than e_phnum holds.
  const fit = Math.max(0, Math.floor((source.size - header.phoff) / header.phentsize));
  const capacity = promised <= PN_XNUM ? promised : Math.min(promised, fit);
  const types = new Uint8Array(capacity);
  const offsets = new Float64Array(capacity);
  const virtuals = new BigUint64Array(capacity);
  const physicals = new BigUint64Array(capacity);
  const fileSizes = new Float64Array(capacity);
  const memorySizes = new Float64Array(capacity);
  const alignments = new Float64Array(capacity);
  let count = 0;
  let read = 0;
  while (read < capacity) {
    const batch = Math.min(BATCH, capacity - read);
    const bytes = readUpTo(source, header.phoff + read * header.phentsize, batch * header.phentsize);
    const whole = Math.floor(bytes.length / header.phentsize);
    const cursor = new Cursor(bytes, source.name, header.littleEndian, header.phoff);
    for (let i = 0; i < whole; i++) {
      const type = cursor.seek(i * header.phentsize).u32();
      if (type !== PT_LOAD && type !== PT_NOTE) continue;
      cursor.skip(4);
      types[count] = type;
      offsets[count] = cursor.u64AsNumber();
      virtuals[count] = cursor.u64();
      physicals[count] = cursor.u64();
      fileSizes[count] = cursor.u64AsNumber();
      memorySizes[count] = cursor.u64AsNumber();
      alignments[count] = cursor.u64AsNumber();
      count++;
    }
    read += whole;
    if (whole < batch) break;
  }
  return { count, missing: promised - read, types, offsets, virtuals, physicals, fileSizes, memorySizes, alignments };
}

function headerCount(source: ByteSource, header: ElfHeader): number {
  if (header.phnum !== PN_XNUM || header.shoff === 0) return header.phnum;
  const section = readUpTo(source, header.shoff, SECTION_INFO + 4);
  if (section.length < SECTION_INFO + 4) {
    throw new FormatError(source.name, "the number of program headers is in section header 0, which the file does not have", header.shoff);
  }
  return new Cursor(section, source.name, header.littleEndian).seek(SECTION_INFO).u32();
}
