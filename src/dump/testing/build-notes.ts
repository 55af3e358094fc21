/** ELF notes for tests: any note, NT_PRSTATUS of both machines, QEMU's CPU state. */
import { ByteWriter } from "../../bytes/testing/byte-writer.ts";
import type { Machine, Note } from "../dump.ts";

/** Encodes notes one after another; alignment 4 or 8. */
export function encodeNotes(notes: readonly Note[], littleEndian = true, alignment = 4): Uint8Array {
  const writer = new ByteWriter(littleEndian);
  const pad = () => writer.padTo(Math.ceil(writer.length / alignment) * alignment);
  for (const { name, type, data } of notes) {
    const at = writer.length;
    writer
      .u32(at, name.length + 1)
      .u32(at + 4, data.length)
      .u32(at + 8, type)
      .text(at + 12, `${name}\0`);
    pad();
    writer.append(data);
    pad();
  }
  return writer.finish();
}

/** A PRSTATUS note as the kernel and QEMU write it. */
export function prstatus(machine: Machine, pid: number, registers: readonly bigint[], littleEndian = true): Note {
  const writer = new ByteWriter(littleEndian).u16(12, 9).u32(32, pid).words(112, registers);
  return { name: "CORE", type: 1, data: writer.padTo(machine === "aarch64" ? 392 : 336).finish() };
}

/** A QEMU note whose words count up from `first`: rax = first, rbx = first + 1 … */
export function qemuNote(first: bigint): Note {
  const writer = new ByteWriter().u32(0, 1).u32(4, 440);
  let next = first;
  const word = (at: number) => writer.u64(at, next++);
  for (let i = 0; i < 18; i++) word(8 + 8 * i);
  for (let i = 0; i < 10; i++) {
    writer
      .u32(152 + 24 * i, i)
      .u32(156 + 24 * i, 0xffff)
      .u32(160 + 24 * i, 0x93);
    word(168 + 24 * i);
  }
  for (let i = 0; i < 6; i++) word(392 + 8 * i);
  return { name: "QEMU", type: 0, data: writer.finish() };
}

/** The text of a note as its descriptor. */
export function textNote(name: string, text: string): Note {
  return { name, type: 0, data: new TextEncoder().encode(text) };
}
