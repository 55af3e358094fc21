/** ELF cores for tests, of either class and byte order. */
import { ByteWriter } from "../../bytes/testing/byte-writer.ts";
import type { Note } from "../dump.ts";
import { encodeNotes } from "./build-notes.ts";

/** One PT_LOAD. */
export interface TestSegment {
  readonly physical: number | bigint;
  readonly virtual?: bigint;
  readonly data: Uint8Array;
  /** p_memsz where it differs from the length of data. */
  readonly memorySize?: number;
}

export interface TestElf {
  readonly bits?: 32 | 64;
  readonly littleEndian?: boolean;
  readonly type?: number;
  readonly machine?: number;
  readonly segments?: readonly TestSegment[];
  readonly notes?: readonly Note[];
  readonly noteAlignment?: 0 | 4 | 8;
  /** Puts the number of program headers into section header 0, as cores with more than 65,534 segments do. */
  readonly extendedNumbering?: boolean;
  /** Junk before the program headers: nothing may depend on their place. */
  readonly gap?: number;
}

export const EM_X86_64 = 62;
export const EM_AARCH64 = 183;

/** Composes the file: header, section header 0, gap, program headers, notes, data. */
export function buildElf(elf: TestElf = {}): Uint8Array {
  const {
    bits = 64,
    littleEndian = true,
    type = 4,
    machine = EM_X86_64,
    segments = [],
    notes = [],
    noteAlignment = 4,
    extendedNumbering = false,
    gap = 16,
  } = elf;
  const wide = bits === 64;
  const writer = new ByteWriter(littleEndian);
  const headerSize = wide ? 64 : 52;
  const phentsize = wide ? 56 : 32;
  const sectionSize = wide ? 64 : 40;
  const count = segments.length + 1;
  const shoff = headerSize;
  const phoff = headerSize + sectionSize + gap;
  writer.bytes(0, Uint8Array.of(0x7f, 0x45, 0x4c, 0x46, wide ? 2 : 1, littleEndian ? 1 : 2, 1));
  writer.u16(16, type).u16(18, machine).u32(20, 1);
  const phnum = extendedNumbering ? 0xffff : count;
  if (wide)
    writer
      .u64(32, phoff)
      .u64(40, extendedNumbering ? shoff : 0)
      .u16(52, 64)
      .u16(54, phentsize)
      .u16(56, phnum)
      .u16(58, 64)
      .u16(60, 1);
  else
    writer
      .u32(28, phoff)
      .u32(32, extendedNumbering ? shoff : 0)
      .u16(40, 52)
      .u16(42, phentsize)
      .u16(44, phnum)
      .u16(46, 40)
      .u16(48, 1);
  if (extendedNumbering) writer.u32(shoff + (wide ? 44 : 28), count);
  writer.bytes(headerSize + sectionSize, new Uint8Array(gap).fill(0xee));
  writer.padTo(phoff + count * phentsize);
  const program = (
    index: number,
    header: { type: number; offset: number; virtual: bigint; physical: bigint; filesz: number; memsz: number; align: number },
  ) => {
    const at = phoff + index * phentsize;
    writer.u32(at, header.type);
    if (wide) writer.words(at + 8, [header.offset, header.virtual, header.physical, header.filesz, header.memsz, header.align]);
    else
      [header.offset, Number(header.virtual), Number(header.physical), header.filesz, header.memsz].forEach(
        (value, field) => void writer.u32(at + 4 + 4 * field, value),
      );
  };
  const noteBytes = encodeNotes(notes, littleEndian, noteAlignment === 8 ? 8 : 4);
  const noteOffset = writer.append(noteBytes);
  program(0, {
    type: 4,
    offset: noteOffset,
    virtual: 0n,
    physical: 0n,
    filesz: noteBytes.length,
    memsz: noteBytes.length,
    align: noteAlignment,
  });
  segments.forEach(({ physical, virtual = 0n, data, memorySize = data.length }, index) => {
    const offset = writer.append(data);
    program(index + 1, { type: 1, offset, virtual, physical: BigInt(physical), filesz: data.length, memsz: memorySize, align: 0 });
  });
  return writer.finish();
}
