/**
 * ELF64 files by ranges: header, program headers, sections, notes. Specification: System V ABI, chapter 4 (gABI); notes as the kernel
 * writes them (include/linux/elfnote.h).
 *
 *   │ Ehdr 64 │ … │ Phdr[phnum] 56 each │ … sections … │ Shdr[shnum] 64 each │
 *
 * Read here: a vmlinux or a module with its debug information. Core dumps are read by the dump floor.
 */
import type { ByteSource } from "../bytes/byte-source.ts";
import { FormatError, InquestError, UnsupportedError } from "../bytes/errors.ts";
import { readExactly } from "../bytes/read-bytes.ts";
import { buildIdOf } from "./build-id.ts";
import { COMPRESSION_HEADER, readCompression, unpackSection } from "./elf-compression.ts";

export const EM_X86_64 = 62;
export const EM_AARCH64 = 183;
const ET_REL = 1;
const ET_EXEC = 2;
const ET_DYN = 3;
const ET_CORE = 4;

const PT_LOAD = 1;
const PT_NOTE = 4;
const SHT_NOTE = 7;
const SHT_NOBITS = 8;
const SHF_ALLOC = 2;
const SHF_EXECINSTR = 4;
const SHF_COMPRESSED = 0x800;

const EHDR = 64;
const PHDR = 56;
const SHDR = 64;
/** Real files have below 100 sections; kernel modules built with -ffunction-sections some 60,000. */
const MAX_HEADERS = 1 << 20;

const utf8 = new TextDecoder("utf-8", { fatal: false });

export interface ElfSection {
  readonly name: string;
  readonly type: number;
  readonly flags: number;
  readonly address: bigint;
  readonly offset: number;
  readonly size: number;
  /** Index of an associated section, e.g. the strings of a symbol table. */
  readonly link: number;
  /** What it means depends on the type: the section that relocations are for. */
  readonly info: number;
  readonly entrySize: number;
}

export interface ElfSegment {
  readonly type: number;
  readonly offset: number;
  readonly address: bigint;
  readonly physical: bigint;
  readonly fileSize: number;
  readonly memorySize: number;
}

/** One open ELF file. */
export class Elf {
  readonly source: ByteSource;
  /** "relocatable" is a module (.ko). */
  readonly type: "relocatable" | "executable" | "shared" | "core" | "other";
  /** EM_X86_64, 183 for AArch64, or another. */
  readonly machine: number;
  readonly segments: readonly ElfSegment[];
  readonly sections: readonly ElfSection[];
  /** Compressed sections that were wanted. */
  readonly #unpacked = new Map<ElfSection, Uint8Array>();

  private constructor(source: ByteSource, header: DataView) {
    this.source = source;
    const types = new Map<number, Elf["type"]>([
      [ET_REL, "relocatable"],
      [ET_EXEC, "executable"],
      [ET_DYN, "shared"],
      [ET_CORE, "core"],
    ]);
    this.type = types.get(header.getUint16(16, true)) ?? "other";
    this.machine = header.getUint16(18, true);
    this.segments = this.#readSegments(header);
    this.sections = this.#readSections(header);
  }

  /** True when a file starts as ELF does. */
  static probe(source: ByteSource): boolean {
    const magic = new Uint8Array(4);
    return source.readInto(magic, 0) === 4 && magic[0] === 0x7f && magic[1] === 0x45 && magic[2] === 0x4c && magic[3] === 0x46;
  }

  /** Reads the headers; throws FormatError or UnsupportedError. */
  static open(source: ByteSource): Elf {
    if (!Elf.probe(source)) throw new FormatError(source.name, "not an ELF file", 0);
    const header = viewOf(readExactly(source, 0, EHDR, "the ELF header", EHDR));
    if (header.getUint8(4) !== 2) throw new UnsupportedError(`${source.name}: a 32-bit ELF file`);
    if (header.getUint8(5) !== 1) throw new UnsupportedError(`${source.name}: a big-endian ELF file`);
    return new Elf(source, header);
  }

  /** The first section of that name. */
  section(name: string): ElfSection | undefined {
    return this.sections.find((section) => section.name === name);
  }

  /** True when a section has content in this file: files with only debug information keep the headers of the others. */
  hasContent(section: ElfSection): boolean {
    return section.type !== SHT_NOBITS && section.size > 0;
  }

  /** True for SHF_COMPRESSED and GNU's older .zdebug_ sections. */
  isCompressed(section: ElfSection): boolean {
    return (section.flags & SHF_COMPRESSED) !== 0 || section.name.startsWith(".zdebug_");
  }

  /** Bytes of a section's content, unpacked. Throws FormatError, UnsupportedError where its compression is unknown. */
  contentSize(section: ElfSection): number {
    if (!this.isCompressed(section)) return section.size;
    return this.#unpacked.get(section)?.length ?? this.#compression(section).size;
  }

  /**
   * Bytes of a section, as a whole or a part; a compressed one is unpacked as a whole the first time and kept. Not to be written to.
   * Throws FormatError when the file ends before, or the compressed stream is damaged.
   */
  read(section: ElfSection, from = 0, length = this.contentSize(section) - from): Uint8Array {
    if (!this.hasContent(section)) throw new FormatError(this.source.name, `section ${section.name} has no content in this file`);
    const size = this.contentSize(section);
    if (from < 0 || length < 0 || from + length > size) {
      throw new FormatError(this.source.name, `bytes ${from} to ${from + length} of section ${section.name}, which has ${size}`);
    }
    if (this.isCompressed(section)) return this.#unpack(section).subarray(from, from + length);
    return this.#range(section.offset + from, length, `section ${section.name}`);
  }

  /** True when a section needs the zstd decoder, which must be loaded first (prepareZstd). */
  usesZstd(): boolean {
    return this.sections.some((section) => {
      if ((section.flags & SHF_COMPRESSED) === 0 || !this.hasContent(section)) return false;
      try {
        return this.#compression(section).method === "zstd";
      } catch (error) {
        if (error instanceof InquestError) return false;
        throw error;
      }
    });
  }

  /**
   * True for a file that keeps the headers of its program sections without their content (objcopy --only-keep-debug, eu-strip -f): its
   * segments may still claim bytes in the file, which are something else.
   */
  get debugOnly(): boolean {
    return this.sections.some(
      ({ type, flags, size }) => type === SHT_NOBITS && size > 0 && (flags & (SHF_ALLOC | SHF_EXECINSTR)) === (SHF_ALLOC | SHF_EXECINSTR),
    );
  }

  /** Bytes at a link-time address, from the loaded segments; undefined when the file does not hold them all. */
  bytesAt(address: bigint, length: number): Uint8Array | undefined {
    if (this.debugOnly) return undefined;
    for (const segment of this.segments) {
      if (segment.type !== PT_LOAD || address < segment.address || address + BigInt(length) > segment.address + BigInt(segment.fileSize))
        continue;
      return this.#range(segment.offset + Number(address - segment.address), length, "a segment");
    }
    return undefined;
  }

  /** Build id in hex, which names the debug file that belongs to a kernel: from note sections or, in a file without sections, note segments. */
  buildId(): string | undefined {
    const places: readonly { offset: number; size: number }[] =
      this.sections.length > 0
        ? this.sections.filter((section) => section.type === SHT_NOTE)
        : this.segments.filter((segment) => segment.type === PT_NOTE).map(({ offset, fileSize }) => ({ offset, size: fileSize }));
    for (const { offset, size } of places) {
      if (size === 0 || offset + size > this.source.size) continue;
      const found = buildIdOf(this.#range(offset, size, "notes"));
      if (found !== undefined) return found;
    }
    return undefined;
  }

  #compression(section: ElfSection) {
    const start = this.#range(section.offset, Math.min(COMPRESSION_HEADER, section.size), `section ${section.name}`);
    const gnu = (section.flags & SHF_COMPRESSED) === 0;
    return readCompression(start, section.size, gnu, this.source.name, section.name);
  }

  #unpack(section: ElfSection): Uint8Array {
    let bytes = this.#unpacked.get(section);
    if (bytes === undefined) {
      const compression = this.#compression(section);
      const { header } = compression;
      const stream = this.#range(section.offset + header, section.size - header, `section ${section.name}`);
      bytes = unpackSection(stream, compression, this.source.name, section.name);
      this.#unpacked.set(section, bytes);
    }
    return bytes;
  }

  #readSegments(header: DataView): ElfSegment[] {
    const count = header.getUint16(56, true);
    if (count === 0) return [];
    this.#checkEntry(header.getUint16(54, true), PHDR, "program headers");
    const view = viewOf(this.#range(this.#offset(header.getBigUint64(32, true), "program headers"), count * PHDR, "program headers"));
    return Array.from({ length: count }, (_, i) => {
      const at = i * PHDR;
      return {
        type: view.getUint32(at, true),
        offset: this.#offset(view.getBigUint64(at + 8, true), "a segment"),
        address: view.getBigUint64(at + 16, true),
        physical: view.getBigUint64(at + 24, true),
        fileSize: Number(view.getBigUint64(at + 32, true)),
        memorySize: Number(view.getBigUint64(at + 40, true)),
      };
    });
  }

  #readSections(header: DataView): ElfSection[] {
    const start = this.#offset(header.getBigUint64(40, true), "section headers");
    if (start === 0) return [];
    this.#checkEntry(header.getUint16(58, true), SHDR, "section headers");
    // With 65,280 sections and more, count and name index are in the first section header.
    const first = viewOf(this.#range(start, SHDR, "section headers"));
    const count = header.getUint16(60, true) || Number(first.getBigUint64(32, true));
    const names = header.getUint16(62, true) === 0xffff ? first.getUint32(40, true) : header.getUint16(62, true);
    if (count > MAX_HEADERS) throw new FormatError(this.source.name, `${count} sections`, 60);
    const view = viewOf(this.#range(start, count * SHDR, "section headers"));
    const strings = names < count ? this.#sectionNames(view, names * SHDR) : new Uint8Array(0);
    return Array.from({ length: count }, (_, i) => {
      const at = i * SHDR;
      return {
        name: stringAt(strings, view.getUint32(at, true)),
        type: view.getUint32(at + 4, true),
        flags: Number(view.getBigUint64(at + 8, true) & 0xffffffffn),
        address: view.getBigUint64(at + 16, true),
        offset: this.#offset(view.getBigUint64(at + 24, true), "a section"),
        size: this.#offset(view.getBigUint64(at + 32, true), "the size of a section"),
        link: view.getUint32(at + 40, true),
        info: view.getUint32(at + 44, true),
        entrySize: Number(view.getBigUint64(at + 56, true) & 0xffffffffn),
      };
    });
  }

  #sectionNames(headers: DataView, at: number): Uint8Array {
    const offset = this.#offset(headers.getBigUint64(at + 24, true), "section names");
    const size = this.#offset(headers.getBigUint64(at + 32, true), "section names");
    return this.#range(offset, size, "section names");
  }

  /** Checked against the size of the file before anything is allocated. */
  #range(offset: number, length: number, what: string): Uint8Array {
    return readExactly(this.source, offset, length, what, this.source.size);
  }

  #offset(value: bigint, what: string): number {
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new FormatError(this.source.name, `${what} at 0x${value.toString(16)}`);
    return Number(value);
  }

  #checkEntry(size: number, expected: number, what: string): void {
    if (size !== expected) throw new FormatError(this.source.name, `${what} of ${size} bytes each and not ${expected}`);
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** A NUL-terminated string; empty when the offset is outside. */
function stringAt(bytes: Uint8Array, offset: number): string {
  if (offset >= bytes.length) return "";
  const end = bytes.indexOf(0, offset);
  return utf8.decode(bytes.subarray(offset, end < 0 ? bytes.length : end));
}
