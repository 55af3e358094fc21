/** Composes ELF64 files of any kind from their sections: relocatable, stripped, packed, with links to other files. */
import { ByteWriter } from "../../bytes/testing/byte-writer.ts";
import { deflate } from "../../bytes/testing/deflate-node.ts";

export interface BuiltSection {
  readonly name: string;
  /** SHT_*; 1 (PROGBITS) by default. */
  readonly type?: number;
  readonly flags?: number | bigint;
  readonly address?: bigint;
  readonly content: Uint8Array;
  /** Bytes that the header claims; the content's by default. */
  readonly size?: number;
  /** Names of other sections. */
  readonly link?: string;
  readonly info?: string;
}

export interface BuiltElf {
  /** 1 relocatable, 2 executable (default), 3 shared. */
  readonly type?: number;
  readonly machine?: number;
  readonly sections: readonly BuiltSection[];
  /** A loaded segment over the section of that name. */
  readonly load?: string;
}

/** The file's bytes. */
export function buildElfFile({ type = 2, machine = 62, sections, load }: BuiltElf): Uint8Array {
  const out = new ByteWriter();
  const all: BuiltSection[] = [{ name: "", type: 0, content: new Uint8Array(0) }, ...sections];
  const names = ascii(`${[...all.map(({ name }) => name), ".shstrtab"].join("\0")}\0`);
  all.push({ name: ".shstrtab", type: 3, content: names });
  const index = (name: string | undefined) => (name === undefined ? 0 : all.findIndex((each) => each.name === name));
  out.padTo(64 + 56);
  const offsets = all.map(({ content }) => {
    out.padTo(Math.ceil(out.length / 8) * 8);
    return content.length === 0 ? out.length : out.append(content);
  });
  const headers = Math.ceil(out.length / 8) * 8;
  let nameAt = 0;
  all.forEach((section, i) => {
    const at = headers + 64 * i;
    out
      .u32(at, nameAt)
      .u32(at + 4, section.type ?? 1)
      .u64(at + 8, section.flags ?? 0)
      .u64(at + 16, section.address ?? 0n)
      .u64(at + 24, offsets[i] as number)
      .u64(at + 32, section.size ?? section.content.length)
      .u32(at + 40, index(section.link))
      .u32(at + 44, index(section.info))
      .u64(at + 48, 1)
      .u64(at + 56, 0);
    nameAt += section.name.length + 1;
  });
  out.u32(0, 0x464c457f).u32(4, 0x00010102).u16(16, type).u16(18, machine).u32(20, 1);
  out.u64(32, 64).u64(40, headers).u16(52, 64).u16(54, 56).u16(56, 1).u16(58, 64);
  out.u16(60, all.length).u16(62, all.length - 1);
  const loaded = all[index(load)] as BuiltSection;
  out.u32(64, load === undefined ? 0 : 1).u64(72, offsets[index(load)] as number);
  out
    .u64(80, loaded.address ?? 0n)
    .u64(96, loaded.content.length)
    .u64(104, loaded.content.length);
  return out.finish();
}

/** A GNU build-id note as a section. */
export function buildIdSection(id: readonly number[], name = ".note.gnu.build-id"): BuiltSection {
  const out = new ByteWriter();
  out.u32(0, 4).u32(4, id.length).u32(8, 3).text(12, "GNU\0").bytes(16, Uint8Array.from(id));
  return { name, type: 7, flags: 2, content: out.finish() };
}

export interface BuiltSymbol {
  readonly name: string;
  readonly value: bigint;
  /** Name of a section, or a special index. */
  readonly section: string | number;
  /** bind << 4 | type; a global object by default. */
  readonly info?: number;
  readonly size?: number;
}

/** .symtab and .strtab; symbol 0 is the empty one, so the first of the list is number 1. */
export function symbolSections(symbols: readonly BuiltSymbol[], sections: readonly string[]): readonly BuiltSection[] {
  const table = new ByteWriter().padTo(24);
  let strings = "\0";
  symbols.forEach(({ name, value, section, info = 0x11, size = 0 }, i) => {
    const at = 24 * (i + 1);
    const index = typeof section === "number" ? section : sections.indexOf(section) + 1;
    table
      .u32(at, name === "" ? 0 : strings.length)
      .u16(at + 4, info)
      .u16(at + 6, index)
      .u64(at + 8, value)
      .u64(at + 16, size);
    strings += `${name}\0`;
  });
  return [
    { name: ".symtab", type: 2, content: table.finish(), link: ".strtab" },
    { name: ".strtab", type: 3, content: ascii(strings) },
  ];
}

/** .rela sections: [offset, type, symbol, addend] each. */
export function relaSection(target: string, entries: readonly (readonly [number, number, number, bigint])[]): BuiltSection {
  const out = new ByteWriter();
  entries.forEach(([offset, type, symbol, addend], i) => {
    out
      .u64(24 * i, offset)
      .u32(24 * i + 8, type)
      .u32(24 * i + 12, symbol)
      .u64(24 * i + 16, addend);
  });
  return { name: `.rela${target}`, type: 4, content: out.finish(), link: ".symtab", info: target };
}

/** The same section compressed: zlib with an Elf64_Chdr, or GNU's older .zdebug_ form. */
export function compressed(section: BuiltSection, form: "zlib" | "gnu", claim = section.content.length): BuiltSection {
  const stream = deflate(section.content);
  if (form === "gnu") {
    const header = new ByteWriter(false).text(0, "ZLIB").u64(4, claim).bytes(12, stream);
    return { ...section, name: section.name.replace(".debug_", ".zdebug_"), content: header.finish() };
  }
  return { ...section, flags: 0x800, content: chdr(1, claim, stream) };
}

/** Elf64_Chdr and what follows. */
export function chdr(type: number, size: number | bigint, stream: Uint8Array): Uint8Array {
  return new ByteWriter().u32(0, type).u32(4, 0).u64(8, size).u64(16, 1).bytes(24, stream).finish();
}

export function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}
