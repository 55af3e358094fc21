/**
 * ELF cores of a machine: /proc/vmcore and its copies (kernel fs/proc/vmcore.c), `makedumpfile -E`, QEMU's dump-guest-memory
 * (QEMU dump/dump.c), `virsh dump --memory-only`.
 *
 *   | ELF header | program headers | notes (PT_NOTE) | memory of PT_LOAD 1 | memory of PT_LOAD 2 | …
 *
 *   PT_LOAD:  p_paddr ─┬─ p_filesz bytes at p_offset ─┬─ rest up to p_memsz: left out or all zero; the file does not say which
 *
 * Where segments overlap (the kernel's text is also part of RAM), bytes win over none, and the later header over the earlier.
 */
import type { ByteSource } from "../bytes/byte-source.ts";
import { UnsupportedError } from "../bytes/errors.ts";
import { type IntervalMap, IntervalMapBuilder } from "../bytes/interval-map.ts";
import { readUpTo } from "../bytes/read-bytes.ts";
import type { Dump, HeaderFact, MemoryRange, Note, PageFault, VirtualRange } from "./dump.ts";
import { ELF_HEADER_SIZE, type ElfHeader, ET_CORE, parseElfHeader } from "./elf-header.ts";
import { parseNotes, vmcoreinfoOf } from "./elf-notes.ts";
import { type ElfSegments, PT_LOAD, PT_NOTE, readSegments } from "./elf-segments.ts";
import { unsupportedMachine } from "./machine.ts";
import { maxPfnOf, memoryRanges, PHYSICAL_LIMIT, readRangePage } from "./page-reader.ts";

const PAGE_SIZE = 4096;
/** Notes of 8,192 CPUs with all their register sets are below this. */
const MAX_NOTE_BYTES = 64 << 20;
const MAX_NOTE_SEGMENTS = 65536;
const KERNEL_HALF = 1n << 63n;
const ALL_ONES = 0xffff_ffff_ffff_ffffn;
/** Program headers that the facts list one by one. */
const LISTED_SEGMENTS = 64;

const NT_AUXV = 6;
const NT_FILE = 0x46494c45;
const NT_SIGINFO = 0x53494749;

/** True when the first bytes are an ELF header of type CORE. */
export function probeElfCore(head: Uint8Array): boolean {
  return parseElfHeader(head, "")?.type === ET_CORE;
}

/** How the dump at hand differs from a plain core file. */
export interface ElfCoreOptions {
  /** Put before the name of the format, e.g. "flattened". */
  readonly prefix?: string;
  /** Line about a stream around the core that was cut off. */
  readonly truncated?: string | undefined;
  readonly live?: boolean;
  /** Physical address of a segment, where the header's p_paddr is not to be used. */
  readonly physicalOf?: (segments: ElfSegments, index: number) => bigint | undefined;
}

/** Opens an ELF core; throws UnsupportedError for 32-bit cores and cores of user programs, FormatError for broken headers. */
export function openElfCore(source: ByteSource, options: ElfCoreOptions = {}): Dump {
  const header = parseElfHeader(readUpTo(source, 0, ELF_HEADER_SIZE), source.name) as ElfHeader;
  if (header.bits === 32) throw unsupportedMachine(source.name, header.machine, header.littleEndian, "32-bit ELF core");
  if (header.machine === "unknown") {
    throw unsupportedMachine(source.name, header.machine, header.littleEndian, `ELF core, e_machine ${header.machineNumber}`);
  }
  return new ElfCore(source, header, readSegments(source, header), options);
}

class ElfCore implements Dump {
  readonly format: string;
  readonly files: readonly string[];
  readonly machine: Dump["machine"];
  readonly littleEndian: boolean;
  readonly pageSize = PAGE_SIZE;
  readonly maxPfn: number;
  readonly notes: readonly Note[];
  readonly vmcoreinfo: string | undefined;
  readonly utsname = undefined;
  readonly timestamp = undefined;
  readonly dumpLevel = undefined;
  readonly physBase = undefined;
  readonly eraseInfo: string | undefined;
  readonly partial: boolean;
  readonly incomplete: boolean;
  readonly warnings: readonly string[];
  readonly live: boolean;
  readonly file: ByteSource;
  readonly #source: ByteSource;
  readonly #header: ElfHeader;
  readonly #segments: ElfSegments;
  readonly #map: IntervalMap;
  readonly #physicalOf: NonNullable<ElfCoreOptions["physicalOf"]>;

  constructor(source: ByteSource, header: ElfHeader, segments: ElfSegments, options: ElfCoreOptions) {
    this.#source = source;
    this.file = source;
    this.#header = header;
    this.#segments = segments;
    this.#physicalOf = options.physicalOf ?? plainPhysical;
    this.live = options.live ?? false;
    this.format = `${options.prefix === undefined ? "" : `${options.prefix} `}${this.live ? "/proc/kcore" : "ELF core"}`;
    this.files = [source.name];
    this.machine = header.machine;
    this.littleEndian = header.littleEndian;
    const warnings: string[] = options.truncated === undefined ? [] : [options.truncated];
    this.notes = this.#readNotes(warnings);
    refuseUserCore(source.name, this.notes);
    this.vmcoreinfo = vmcoreinfoOf(this.notes);
    // makedumpfile 1.4 and later: erase_info.c writes the list of erased symbols as a note of type 0.
    const erased = this.notes.find((note) => note.name === "ERASEINFO");
    this.eraseInfo = erased === undefined ? undefined : new TextDecoder().decode(erased.data);
    if (this.eraseInfo !== undefined) warnings.push("makedumpfile erased kernel data in this dump; the erased bytes read as X or zero");
    this.#map = this.#mapSegments(warnings);
    this.maxPfn = maxPfnOf(this.#map, PAGE_SIZE);
    let missingBytes = 0;
    let partial = false;
    for (let i = 0; i < segments.count; i++) {
      if (segments.types[i] !== PT_LOAD) continue;
      const fileSize = segments.fileSizes[i] as number;
      if (fileSize < (segments.memorySizes[i] as number)) partial = true;
      missingBytes = Math.max(missingBytes, (segments.offsets[i] as number) + fileSize - source.size);
    }
    this.partial = partial;
    this.incomplete = !this.live && (options.truncated !== undefined || segments.missing > 0 || missingBytes > 0);
    if (segments.missing > 0) warnings.push(`the file ends before ${segments.missing.toLocaleString("en")} of its program headers`);
    if (this.incomplete && missingBytes > 0) {
      warnings.push(
        `the file ends ${missingBytes.toLocaleString("en")} bytes before the end of its last segment (${source.size.toLocaleString("en")} bytes are there)`,
      );
    }
    this.warnings = warnings;
  }

  readPage(pfn: number, target: Uint8Array): PageFault | undefined {
    return readRangePage(this.#source, this.#map, pfn * PAGE_SIZE, target);
  }

  get ranges(): readonly MemoryRange[] {
    return memoryRanges(this.#map);
  }

  get virtualRanges(): readonly VirtualRange[] {
    const { count, types, virtuals, memorySizes } = this.#segments;
    const found: VirtualRange[] = [];
    for (let i = 0; i < count; i++) {
      const physical = this.#physicalOf(this.#segments, i);
      const virtual = virtuals[i] as bigint;
      // QEMU without paging repeats the physical address in p_vaddr; only addresses of the kernel's half tell anything.
      if (types[i] !== PT_LOAD || physical === undefined || virtual < KERNEL_HALF) continue;
      found.push({ virtual, physical, size: BigInt(memorySizes[i] as number) });
    }
    return found;
  }

  get facts(): readonly HeaderFact[] {
    const { count, types, offsets, virtuals, physicals, fileSizes, memorySizes } = this.#segments;
    const hex = (value: number | bigint) => `0x${value.toString(16)}`;
    const facts: HeaderFact[] = [
      ["format", this.format],
      ["class", "ELF64"],
      ["byte order", this.littleEndian ? "little-endian" : "big-endian"],
      ["machine", `${this.machine} (${this.#header.machineNumber})`],
      ["program headers", `${count} of type LOAD or NOTE at ${hex(this.#header.phoff)}`],
    ];
    for (let i = 0; i < Math.min(count, LISTED_SEGMENTS); i++) {
      const where = `offset ${hex(offsets[i] as number)} vaddr ${hex(virtuals[i] as bigint)} paddr ${hex(physicals[i] as bigint)}`;
      const sizes = `filesz ${hex(fileSizes[i] as number)} memsz ${hex(memorySizes[i] as number)}`;
      facts.push([types[i] === PT_LOAD ? `PT_LOAD ${i}` : `PT_NOTE ${i}`, `${where} ${sizes}`]);
    }
    if (count > LISTED_SEGMENTS) facts.push(["", `… and ${count - LISTED_SEGMENTS} more`]);
    for (const note of this.notes.slice(0, LISTED_SEGMENTS))
      facts.push(["note", `${note.name} type ${note.type}, ${note.data.length} bytes`]);
    return facts;
  }

  close(): void {
    this.#source.close();
  }

  #readNotes(warnings: string[]): Note[] {
    const { count, types, offsets, fileSizes, alignments } = this.#segments;
    const notes: Note[] = [];
    let budget = MAX_NOTE_BYTES;
    let segmentsLeft = MAX_NOTE_SEGMENTS;
    let damaged = 0;
    for (let i = 0; i < count && segmentsLeft > 0; i++) {
      if (types[i] !== PT_NOTE) continue;
      segmentsLeft--;
      const claimed = fileSizes[i] as number;
      const offset = offsets[i] as number;
      const there = this.live ? claimed : Math.min(claimed, this.#source.size - offset);
      const length = Math.max(0, Math.min(there, budget));
      budget -= length;
      const bytes = readUpTo(this.#source, offset, length);
      const parsed = parseNotes(bytes, this.littleEndian, alignments[i] as number);
      for (const note of parsed.notes) notes.push(note);
      if (!parsed.clean || bytes.length < claimed) damaged++;
    }
    if (damaged > 0) warnings.push(`${damaged} of the note segments are damaged or cut off; ${notes.length} notes could be read`);
    return notes;
  }

  #mapSegments(warnings: string[]): IntervalMap {
    const { count, types, offsets, fileSizes, memorySizes } = this.#segments;
    const builder = new IntervalMapBuilder();
    let unusable = 0;
    // Ranges without bytes first: whatever is added later hides them.
    for (const withBytes of [false, true]) {
      for (let i = 0; i < count; i++) {
        if (types[i] !== PT_LOAD) continue;
        const physical = this.#physicalOf(this.#segments, i);
        const size = Math.max(memorySizes[i] as number, fileSizes[i] as number);
        if (physical === undefined || Number(physical) + size > PHYSICAL_LIMIT) {
          if (withBytes) unusable++;
          continue;
        }
        const start = Number(physical);
        const stored = fileSizes[i] as number;
        if (withBytes) builder.add(start, start + stored, offsets[i] as number);
        else builder.add(start + stored, start + size, -1);
      }
    }
    if (unusable > 0 && !this.live) warnings.push(`${unusable} segments have no usable physical address and are left aside`);
    return builder.build();
  }
}

/** p_paddr as it stands; all ones mean "none" (vmalloc and module areas of /proc/kcore since 4.11). */
function plainPhysical(segments: ElfSegments, index: number): bigint | undefined {
  const physical = segments.physicals[index] as bigint;
  return physical === ALL_ONES ? undefined : physical;
}

/** Cores of programs carry an auxiliary vector, a file map or a siginfo; those of a kernel never do. */
function refuseUserCore(file: string, notes: readonly Note[]): void {
  if (notes.some((note) => note.name === "VMCOREINFO" || note.name === "QEMU")) return;
  if (!notes.some((note) => note.name === "CORE" && (note.type === NT_AUXV || note.type === NT_FILE || note.type === NT_SIGINFO))) return;
  throw new UnsupportedError(`${file}: this is the core of a user program, not of a kernel; gdb reads it`);
}
