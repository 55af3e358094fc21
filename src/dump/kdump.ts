/**
 * KDUMP dumps (makedumpfile, QEMU) and their ancestor DISKDUMP as one Dump: a single file, or the members of a split set
 * (`makedumpfile --split`), which may be given in any order and of which some may be missing.
 *
 *   member 1  pages [0, a)       each member has the whole machine's bitmaps and
 *   member 2  pages [a, b)       the descriptors and data of its own pages
 *   member 3  pages [b, end)
 */
import type { ByteSource } from "../bytes/byte-source.ts";
import { FormatError, InquestError } from "../bytes/errors.ts";
import { readUpTo } from "../bytes/read-bytes.ts";
import type { Dump, HeaderFact, Machine, MemoryRange, Note, PageFault, Utsname } from "./dump.ts";
import { parseNotes, textOf, vmcoreinfoOf } from "./elf-notes.ts";
import { type FilePart, type KdumpHeader, readKdumpHeader, STATUS_EXCLUDED_VMEMMAP, STATUS_INCOMPLETE } from "./kdump-header.ts";
import { KdumpMember } from "./kdump-member.ts";
import { machineOfUtsname, unsupportedMachine } from "./machine.ts";
import { VmcoreInfo } from "./vmcoreinfo.ts";

/** Ceilings of the areas that are read whole. */
const MAX_NOTE_BYTES = 64 << 20;
const MAX_TEXT_BYTES = 4 << 20;
/** RAM is one to a few hundred ranges; a damaged bitmap may show millions. */
const MAX_RANGES = 65536;
/** Later dates (the year 4147) are damage. */
const MAX_SECONDS = 2 ** 36;
const STATUS_ZSTD = 0x20;

/** A source with what the container around it (the flattened stream) has to say. */
export interface KdumpInput {
  readonly source: ByteSource;
  readonly flattened: boolean;
  /** Line about a stream that was cut off. */
  readonly truncated?: string | undefined;
}

/** A KDUMP dump that may need a codec which has to be made ready first. */
export interface KdumpDump extends Dump {
  readonly usesZstd: boolean;
}

/** Opens one KDUMP file, or the members of one split dump. */
export function openKdump(inputs: readonly KdumpInput[]): KdumpDump {
  const members = inputs.map(({ source }) => {
    const header = readKdumpHeader(source);
    if (header.bits === 32) {
      throw unsupportedMachine(source.name, machineOfUtsname(header.utsname.machine), header.littleEndian, "32-bit KDUMP");
    }
    return new KdumpMember(source, header);
  });
  return new Kdump(inputs, members);
}

class Kdump implements KdumpDump {
  readonly format: string;
  readonly files: readonly string[];
  readonly machine: Machine;
  readonly littleEndian: boolean;
  readonly pageSize: number;
  readonly maxPfn: number;
  readonly virtualRanges = [];
  readonly notes: readonly Note[];
  readonly vmcoreinfo: string | undefined;
  readonly utsname: Utsname;
  readonly timestamp: number | undefined;
  readonly dumpLevel: number | undefined;
  readonly physBase: bigint | undefined;
  readonly incomplete: boolean;
  readonly warnings: readonly string[];
  readonly eraseInfo: string | undefined;
  readonly live = false;
  readonly usesZstd: boolean;
  /** Sorted by first page. */
  readonly #members: readonly KdumpMember[];
  readonly #split: boolean;
  #ranges: MemoryRange[] | undefined;

  constructor(inputs: readonly KdumpInput[], given: readonly KdumpMember[]) {
    const warnings: string[] = [];
    const members = [...given].sort((a, b) => a.header.startPfn - b.header.startPfn);
    // The first pages' member is written first and carries the notes; any member will do when that one was not given.
    const first = members[0] as KdumpMember;
    const { header } = first;
    this.#members = members;
    this.#split = members.some((member) => member.header.split) || members.length > 1;
    this.files = given.map((member) => member.source.name);
    this.littleEndian = header.littleEndian;
    this.pageSize = header.blockSize;
    this.maxPfn = Math.max(...members.map((member) => member.maxPfn));
    this.utsname = header.utsname;
    this.timestamp = header.seconds > 0 && header.seconds < MAX_SECONDS ? header.seconds : undefined;
    this.dumpLevel = header.dumpLevel;
    const flattened = inputs.some((input) => input.flattened);
    const kind = header.signature === "KDUMP" ? "KDUMP compressed" : "DISKDUMP";
    this.format = `${flattened ? "flattened " : ""}${this.#split ? "split " : ""}${kind}, version ${header.version}`;
    for (const { truncated } of inputs) if (truncated !== undefined) warnings.push(truncated);
    for (const member of members) checkMember(member, header, warnings);
    const gaps = this.#split ? checkCoverage(members, this.maxPfn, warnings) : false;
    const readArea = (of: (h: KdumpHeader) => FilePart, what: string, limit: number) => firstArea(members, of, what, limit, warnings);
    const noteBytes = readArea((h) => h.notes, "notes", MAX_NOTE_BYTES);
    const parsed = parseNotes(noteBytes ?? new Uint8Array(0), header.littleEndian, 4);
    if (!parsed.clean) warnings.push(`the notes are damaged; ${parsed.notes.length} could be read`);
    this.notes = parsed.notes;
    const infoBytes = readArea((h) => h.vmcoreinfo, "VMCOREINFO", MAX_TEXT_BYTES);
    this.vmcoreinfo = infoBytes === undefined ? vmcoreinfoOf(this.notes) : textOf(infoBytes);
    const erased = readArea((h) => h.eraseInfo, "erase info", MAX_TEXT_BYTES);
    this.eraseInfo = erased === undefined ? undefined : textOf(erased);
    if (erased !== undefined) warnings.push("makedumpfile erased kernel data in this dump; the erased bytes read as X or zero");
    this.machine = machineOf(header, this.notes);
    // QEMU reads the decimal NUMBER(phys_base) as hex and writes that; the text itself is right.
    const physBase = this.vmcoreinfo === undefined ? undefined : new VmcoreInfo(this.vmcoreinfo).number("phys_base");
    this.physBase = this.machine === "x86_64" ? (physBase ?? header.physBase) : undefined;
    const status = members.reduce((bits, member) => bits | member.header.status, 0);
    if ((status & STATUS_INCOMPLETE) !== 0)
      warnings.push("the writer marked the dump as incomplete: it ran out of space, pages are missing");
    if ((status & STATUS_EXCLUDED_VMEMMAP) !== 0) warnings.push("makedumpfile left out unused struct pages (vmemmap) as well");
    const short = members.some((member) => member.end.missingBytes > 0 || member.end.unwritten);
    this.incomplete = (status & STATUS_INCOMPLETE) !== 0 || short || gaps || inputs.some((input) => input.truncated !== undefined);
    this.usesZstd = (status & STATUS_ZSTD) !== 0 || members.some((member) => member.end.zstd);
    this.warnings = warnings;
  }

  readPage(pfn: number, target: Uint8Array): PageFault | undefined {
    try {
      for (const member of this.#members) {
        if (pfn >= member.header.startPfn && pfn < member.header.endPfn) return member.readPage(pfn, target);
      }
      return this.#outsideOfMembers(pfn);
    } catch (error) {
      // An input/output error on a bitmap or descriptor.
      if (error instanceof InquestError) return { reason: "corrupt", detail: error.message };
      throw error;
    }
  }

  get ranges(): readonly MemoryRange[] {
    if (this.#ranges === undefined) {
      const ranges: MemoryRange[] = [];
      const size = BigInt(this.pageSize);
      const { ram } = this.#members[0] as KdumpMember;
      ram.forEachRun(this.maxPfn, (start, end) => {
        ranges.push({ start: BigInt(start) * size, end: BigInt(end) * size });
        return ranges.length < MAX_RANGES;
      });
      this.#ranges = ranges;
    }
    return this.#ranges;
  }

  get partial(): boolean {
    return this.#members.some(({ oneBitmap, dumped, ram }) => {
      // QEMU claims dump level 1 and leaves nothing out, so the bitmaps tell where there are two.
      return oneBitmap ? (this.dumpLevel ?? 0) > 0 : dumped.rank(this.maxPfn) < ram.rank(this.maxPfn);
    });
  }

  get facts(): readonly HeaderFact[] {
    const facts: HeaderFact[] = [["format", this.format]];
    for (const { source, header } of this.#members) {
      facts.push(
        ["file", source.name],
        ["signature", header.signature],
        ["header version", String(header.version)],
        ["byte order", header.littleEndian ? "little-endian" : "big-endian"],
        ...Object.entries(header.utsname).map(([key, value]) => [key, value] as const),
        ["timestamp", header.seconds === 0 ? "none" : new Date(Math.min(header.seconds, 8.64e12) * 1000).toISOString()],
        ["status", `0x${header.status.toString(16)}`],
        ["block size", String(header.blockSize)],
        ["sub header blocks", String(header.subHeaderBlocks)],
        ["bitmap blocks", String(header.bitmapBlocks)],
        ["max_mapnr", String(header.maxMapnr)],
        ["total RAM blocks", String(header.totalRamBlocks)],
        ["device blocks", String(header.deviceBlocks)],
        ["written blocks", String(header.writtenBlocks)],
        ["current CPU", String(header.currentCpu)],
        ["CPUs", String(header.cpus)],
      );
      if (header.physBase !== undefined) facts.push(["phys_base", `0x${BigInt.asUintN(64, header.physBase).toString(16)}`]);
      if (header.dumpLevel !== undefined) facts.push(["dump level", String(header.dumpLevel)]);
      if (header.split) facts.push(["pages", `${header.startPfn} … ${header.endPfn - 1}`]);
      for (const [label, { offset, size }] of [
        ["vmcoreinfo", header.vmcoreinfo],
        ["notes", header.notes],
        ["erase info", header.eraseInfo],
      ] as const) {
        if (size > 0) facts.push([label, `${size} bytes at byte ${offset}`]);
      }
    }
    return facts;
  }

  close(): void {
    for (const member of this.#members) member.close();
  }

  /** A page of a member that was not given, or no page at all. */
  #outsideOfMembers(pfn: number): PageFault {
    const { ram, dumped, oneBitmap } = this.#members[0] as KdumpMember;
    if (dumped.has(pfn)) return { reason: "absent", detail: "it is in a part of the split dump that was not given" };
    return !oneBitmap && ram.has(pfn) ? { reason: "excluded" } : { reason: "absent" };
  }
}

/** Adds what is wrong with one member; throws when it belongs to another dump. */
function checkMember(member: KdumpMember, reference: KdumpHeader, warnings: string[]): void {
  const { header, source, end } = member;
  const same =
    header.blockSize === reference.blockSize &&
    header.maxMapnr === reference.maxMapnr &&
    header.littleEndian === reference.littleEndian &&
    header.utsname.release === reference.utsname.release &&
    header.utsname.nodename === reference.utsname.nodename;
  if (!same) throw new FormatError(source.name, "is not of the same dump as the other files: page size, RAM size, host or kernel differ");
  if (end.missingBytes > 0) {
    warnings.push(
      `${source.name}: the file ends ${end.missingBytes.toLocaleString("en")} bytes before the end of its last page (${source.size.toLocaleString("en")} bytes are there)`,
    );
  } else if (end.unwritten) {
    warnings.push(`${source.name}: the last page descriptors were never filled in; the dump was cut off while it was written`);
  }
  if (header.maxMapnr > member.maxPfn) {
    warnings.push(`${source.name}: the bitmaps describe ${member.maxPfn} pages, the header claims ${header.maxMapnr}`);
  }
}

/** Warns of page ranges that no given member holds, and of doubled ones; true when something is missing. */
function checkCoverage(members: readonly KdumpMember[], maxPfn: number, warnings: string[]): boolean {
  let next = 0;
  let gaps = false;
  const missing = (from: number, to: number) => {
    gaps = true;
    warnings.push(`a part of the split dump was not given: pages ${from} … ${to - 1} are missing`);
  };
  for (const { header, source } of members) {
    if (!header.split && members.length > 1)
      throw new FormatError(source.name, "is a whole dump, not a part of a split one; give it alone");
    if (header.startPfn > next) missing(next, header.startPfn);
    if (header.startPfn < next) warnings.push(`${source.name}: its pages are also in another of the files`);
    next = Math.max(next, header.endPfn);
  }
  if (next < maxPfn) missing(next, maxPfn);
  return gaps;
}

/** The area of the first member that has it. Cut off or unbelievable areas give what is there, and a warning. */
function firstArea(
  members: readonly KdumpMember[],
  of: (header: KdumpHeader) => FilePart,
  what: string,
  limit: number,
  warnings: string[],
): Uint8Array | undefined {
  for (const { header, source } of members) {
    const { offset, size } = of(header);
    if (offset === 0 || size === 0) continue;
    const bytes = readUpTo(source, offset, Math.max(0, Math.min(size, limit, source.size - offset)));
    if (bytes.length < size)
      warnings.push(`${source.name}: the ${what} (${size} bytes at byte ${offset}) are cut off after ${bytes.length} bytes`);
    if (bytes.length > 0) return bytes;
  }
  return undefined;
}

/** QEMU leaves the utsname empty, so the size of the register notes has to tell: struct elf_prstatus of each machine. */
function machineOf(header: KdumpHeader, notes: readonly Note[]): Machine {
  const named = machineOfUtsname(header.utsname.machine);
  if (named !== "unknown") return named;
  const prstatus = notes.find((note) => note.name === "CORE" && note.type === 1);
  if (prstatus?.data.length === 336) return header.littleEndian ? "x86_64" : "s390x";
  if (prstatus?.data.length === 392) return "aarch64";
  return "unknown";
}
