/** Composes a small ELF64 executable: one loaded segment, a build-id note, a symbol table. */
import { ByteWriter } from "../../bytes/testing/byte-writer.ts";

export interface BuiltElfSymbol {
  readonly name: string;
  readonly value: bigint;
  readonly size: number;
  /** bind << 4 | type */
  readonly info: number;
  /** Index of a section: 1 .text, 2 .data, 3 .notes, 4 .bss. */
  readonly section: number;
}

export const ELF_TEXT = 0xffffffff81000000n;
export const ELF_DATA = ELF_TEXT + 0x40n;

/** `text` and `data` (64 bytes at most each) lie one after the other from ELF_TEXT. */
export function buildElf64(text: string, data: string, buildId: readonly number[], symbols: readonly BuiltElfSymbol[]): Uint8Array {
  const out = new ByteWriter();
  const code = (value: string) => Uint8Array.from(value, (one) => one.charCodeAt(0));
  out.u32(0, 0x464c457f).u32(4, 0x00010102).u16(16, 2).u16(18, 62).u32(20, 1);
  const load = 64 + 56;
  out
    .text(load, text)
    .text(load + 64, data)
    .padTo(load + 128);
  const note = out.length;
  out
    .u32(note, 4)
    .u32(note + 4, buildId.length)
    .u32(note + 8, 3)
    .text(note + 12, "GNU\0")
    .bytes(note + 16, Uint8Array.from(buildId));
  const noteSize = out.length - note;
  const strings: number[] = [0];
  const symtab = Math.ceil(out.length / 8) * 8;
  out.padTo(symtab + 24);
  symbols.forEach(({ name, value, size, info, section }, i) => {
    const at = symtab + 24 * (i + 1);
    out
      .u32(at, strings.length)
      .u16(at + 4, info)
      .u16(at + 6, section)
      .u64(at + 8, value)
      .u64(at + 16, size);
    strings.push(...code(`${name}\0`));
  });
  const symtabSize = out.length - symtab;
  const strtab = out.append(Uint8Array.from(strings));
  const sections: [string, number, number, bigint, number, number, number][] = [
    ["", 0, 0, 0n, 0, 0, 0],
    [".text", 1, 6, ELF_TEXT, load, 64, 0],
    [".data", 1, 3, ELF_DATA, load + 64, 64, 0],
    [".notes", 7, 2, 0n, note, noteSize, 0],
    [".bss", 8, 3, ELF_DATA + 64n, load + 128, 4096, 0],
    [".symtab", 2, 0, 0n, symtab, symtabSize, 6],
    [".strtab", 3, 0, 0n, strtab, strings.length, 0],
  ];
  const names = [...sections.map(([name]) => name), ".shstrtab"];
  const shstrtab = out.append(code(`\0${names.slice(1).join("\0")}\0`));
  sections.push([".shstrtab", 3, 0, 0n, shstrtab, out.length - shstrtab, 0]);
  const headers = Math.ceil(out.length / 8) * 8;
  let nameAt = 0;
  sections.forEach(([name, type, flags, address, offset, size, link], i) => {
    const at = headers + i * 64;
    out
      .u32(at, nameAt)
      .u32(at + 4, type)
      .u64(at + 8, flags)
      .u64(at + 16, address)
      .u64(at + 24, offset)
      .u64(at + 32, size)
      .u32(at + 40, link);
    out.u64(at + 56, type === 2 ? 24 : 0);
    nameAt += name.length + 1;
  });
  out
    .u64(32, 64)
    .u64(40, headers)
    .u16(52, 64)
    .u16(54, 56)
    .u16(56, 1)
    .u16(58, 64)
    .u16(60, sections.length)
    .u16(62, sections.length - 1);
  out
    .u32(64, 1)
    .u32(68, 5)
    .u64(72, load)
    .u64(80, ELF_TEXT)
    .u64(88, 0x1000000)
    .u64(96, 128)
    .u64(104, 128 + 4096);
  return out.finish();
}
