/**
 * An ELF core file: header, program headers, notes, memory. Source: System V ABI (ELF64), include/uapi/linux/elf.h, fs/binfmt_elf.c.
 *
 *   Ehdr │ Phdr PT_NOTE │ Phdr PT_LOAD … │ [Shdr 0] │ notes │ … page boundary │ content of the segments, one behind the other
 *
 * More than 65,534 program headers are counted in sh_info of section header 0 (PN_XNUM).
 */

/** e_machine. */
export const EM_X86_64 = 62;
export const EM_AARCH64 = 183;

const EHDR = 64;
const PHDR = 56;
const SHDR = 64;
const PN_XNUM = 0xffff;
const ET_CORE = 4;
const PT_LOAD = 1;
const PT_NOTE = 4;

/** A piece of user memory: with content in the file, or known to be there without. */
export interface CoreSegment {
  readonly start: bigint;
  readonly end: bigint;
  /** The file holds its bytes; otherwise p_filesz is 0. */
  readonly hasContent: boolean;
  /** PF_X 1, PF_W 2, PF_R 4. */
  readonly flags: number;
}

export interface CoreNote {
  /** "CORE", "LINUX" or one of our own. */
  readonly name: string;
  readonly type: number;
  readonly bytes: Uint8Array;
}

/** Everything before the memory's content, and how long it is. */
export function coreHead(machine: number, pageSize: number, segments: readonly CoreSegment[], notes: readonly CoreNote[]): Uint8Array {
  const noteBytes = packNotes(notes);
  const count = segments.length + 1;
  const extended = count >= PN_XNUM;
  const noteOffset = EHDR + count * PHDR + (extended ? SHDR : 0);
  const end = Math.ceil((noteOffset + noteBytes.length) / pageSize) * pageSize;
  const bytes = new Uint8Array(end);
  const view = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1], 0);
  view.setUint16(16, ET_CORE, true);
  view.setUint16(18, machine, true);
  view.setUint32(20, 1, true);
  view.setBigUint64(32, BigInt(EHDR), true);
  view.setUint16(52, EHDR, true);
  view.setUint16(54, PHDR, true);
  view.setUint16(56, extended ? PN_XNUM : count, true);
  if (extended) {
    const section = EHDR + count * PHDR;
    view.setBigUint64(40, BigInt(section), true);
    view.setUint16(58, SHDR, true);
    view.setUint16(60, 1, true);
    view.setUint32(section + 44, count, true);
  }
  programHeader(view, EHDR, { type: PT_NOTE, flags: 0, offset: noteOffset, address: 0n, fileSize: noteBytes.length, size: 0n, align: 4 });
  let offset = end;
  segments.forEach(({ start, end: limit, hasContent, flags }, i) => {
    const size = limit - start;
    const fileSize = hasContent ? Number(size) : 0;
    programHeader(view, EHDR + (i + 1) * PHDR, { type: PT_LOAD, flags, offset, address: start, fileSize, size, align: pageSize });
    offset += fileSize;
  });
  bytes.set(noteBytes, noteOffset);
  return bytes;
}

interface ProgramHeader {
  readonly type: number;
  readonly flags: number;
  readonly offset: number;
  readonly address: bigint;
  readonly fileSize: number;
  readonly size: bigint;
  readonly align: number;
}

function programHeader(view: DataView, at: number, header: ProgramHeader): void {
  view.setUint32(at, header.type, true);
  view.setUint32(at + 4, header.flags, true);
  view.setBigUint64(at + 8, BigInt(header.offset), true);
  view.setBigUint64(at + 16, header.address, true);
  view.setBigUint64(at + 32, BigInt(header.fileSize), true);
  view.setBigUint64(at + 40, header.size, true);
  view.setBigUint64(at + 48, BigInt(header.align), true);
}

/** namesz, descsz, type, name and description, each padded to 4 bytes. */
export function packNotes(notes: readonly CoreNote[]): Uint8Array {
  const padded = (length: number) => (length + 3) & ~3;
  const names = notes.map(({ name }) => new TextEncoder().encode(`${name}\0`));
  const size = notes.reduce((sum, { bytes }, i) => sum + 12 + padded((names[i] as Uint8Array).length) + padded(bytes.length), 0);
  const out = new Uint8Array(size);
  const view = new DataView(out.buffer);
  let at = 0;
  notes.forEach(({ type, bytes }, i) => {
    const name = names[i] as Uint8Array;
    view.setUint32(at, name.length, true);
    view.setUint32(at + 4, bytes.length, true);
    view.setUint32(at + 8, type, true);
    out.set(name, at + 12);
    out.set(bytes, at + 12 + padded(name.length));
    at += 12 + padded(name.length) + padded(bytes.length);
  });
  return out;
}
