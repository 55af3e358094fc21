/**
 * ELF notes: the list of small records that PT_NOTE segments and KDUMP's note area hold. Layout from the ELF specification and
 * include/uapi/linux/elf.h (Elf64_Nhdr; the fields are 32 bits wide in both classes).
 *
 *   | namesz u32 | descsz u32 | type u32 | name, padded | desc, padded |   padded to 4 bytes; to 8 where p_align is 8
 */
import type { Note } from "./dump.ts";

const NOTE_HEADER = 12;
/** Notes of one area that are kept: 8,192 CPUs with a dozen register sets each stay below. */
const MAX_NOTES = 100_000;

/** Notes, and whether the bytes were used up without a contradiction. */
interface Parsed {
  readonly notes: Note[];
  readonly clean: boolean;
}

/**
 * Splits the bytes of a note area. Stops at the first record that does not fit. `alignment` is the segment's p_align: only 8 counts,
 * and since writers set it wrongly, the other padding is tried when the first one breaks.
 */
export function parseNotes(bytes: Uint8Array, littleEndian: boolean, alignment: number): Parsed {
  const first = alignment === 8 ? 8 : 4;
  const parsed = parseWith(bytes, littleEndian, first);
  if (parsed.clean) return parsed;
  const other = parseWith(bytes, littleEndian, first === 8 ? 4 : 8);
  return other.clean || other.notes.length > parsed.notes.length ? other : parsed;
}

function parseWith(bytes: Uint8Array, littleEndian: boolean, alignment: 4 | 8): Parsed {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const padded = (size: number) => Math.ceil(size / alignment) * alignment;
  const notes: Note[] = [];
  let at = 0;
  while (at + NOTE_HEADER <= bytes.length && notes.length < MAX_NOTES) {
    const nameSize = view.getUint32(at, littleEndian);
    const dataSize = view.getUint32(at + 4, littleEndian);
    const type = view.getUint32(at + 8, littleEndian);
    if (nameSize === 0 && dataSize === 0 && type === 0) {
      // The kernel ends each CPU's crash_notes by an empty header and pads with zeroes (kernel/crash_core.c, final_note()).
      at += 4;
      continue;
    }
    const name = at + NOTE_HEADER;
    const data = at + padded(NOTE_HEADER + nameSize);
    if (nameSize > 256 || name + nameSize > bytes.length || data + dataSize > bytes.length) return { notes, clean: false };
    notes.push({ name: noteName(bytes.subarray(name, name + nameSize)), type, data: bytes.subarray(data, data + dataSize) });
    at = data + padded(dataSize);
  }
  return { notes, clean: notes.every((note) => /^[\x20-\x7e]*$/.test(note.name)) };
}

function noteName(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return String.fromCharCode(...(end < 0 ? bytes : bytes.subarray(0, end)));
}

/** Text of the VMCOREINFO note, if there is one (also named VMCOREINFO_XEN by Xen; that one is left alone). */
export function vmcoreinfoOf(notes: readonly Note[]): string | undefined {
  const note = notes.find((candidate) => candidate.name === "VMCOREINFO");
  return note === undefined ? undefined : textOf(note.data);
}

/** A text area of a dump: up to the first NUL. */
export function textOf(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
}
