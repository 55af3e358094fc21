/** Reads an ELF core file on its own terms (System V ABI, include/uapi/linux/elfcore.h): the judge of what gcore writes. */
import { readFileSync } from "node:fs";

export interface CoreSegmentRead {
  readonly start: bigint;
  readonly end: bigint;
  readonly offset: number;
  readonly fileSize: number;
}

export interface CoreRead {
  readonly machine: number;
  readonly segments: readonly CoreSegmentRead[];
  readonly threads: readonly { readonly pid: number; readonly pc: bigint; readonly sp: bigint }[];
  readonly arguments: string | undefined;
  readonly files: readonly { readonly start: bigint; readonly end: bigint; readonly offset: bigint; readonly path: string }[];
  /** The text of our own note. */
  readonly missing: string | undefined;
  /** undefined where the core has no content. */
  read(address: bigint, length: number): Uint8Array | undefined;
}

export function readCore(file: string): CoreRead {
  const bytes = readFileSync(file);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes.subarray(0, 4).toString("latin1") !== "\x7fELF" || view.getUint16(16, true) !== 4) throw new Error("no ELF core");
  const machine = view.getUint16(18, true);
  const count = view.getUint16(56, true);
  const headers = Array.from({ length: count }, (_, i) => {
    const at = Number(view.getBigUint64(32, true)) + i * 56;
    return {
      type: view.getUint32(at, true),
      offset: Number(view.getBigUint64(at + 8, true)),
      start: view.getBigUint64(at + 16, true),
      end: view.getBigUint64(at + 16, true) + view.getBigUint64(at + 40, true),
      fileSize: Number(view.getBigUint64(at + 32, true)),
    };
  });
  const notes = headers
    .filter(({ type }) => type === 4)
    .flatMap(({ offset, fileSize }) => readNotes(bytes.subarray(offset, offset + fileSize)));
  const segments = headers.filter(({ type }) => type === 1);
  for (const { offset, fileSize } of segments)
    if (fileSize > 0 && offset + fileSize > bytes.length) throw new Error("a segment runs past the end of the file");
  const [pcWord, spWord] = machine === 62 ? [16, 19] : [32, 31];
  const of = (type: number, name = "CORE") => notes.filter((note) => note.type === type && note.name === name).map(({ data }) => data);
  const word = (data: DataView, i: number) => data.getBigUint64(112 + i * 8, true);
  return {
    machine,
    segments,
    threads: of(1).map((data) => ({ pid: data.getUint32(32, true), pc: word(data, pcWord), sp: word(data, spWord) })),
    arguments: of(3).map((data) => text(data, 56, 80))[0],
    files: of(0x46494c45).flatMap(readFiles),
    missing: of(1, "INQUEST").map((data) => text(data, 0, data.byteLength))[0],
    read(address, length) {
      const segment = segments.find(({ start, fileSize }) => address >= start && address + BigInt(length) <= start + BigInt(fileSize));
      if (segment === undefined) return undefined;
      const at = segment.offset + Number(address - segment.start);
      return bytes.subarray(at, at + length);
    },
  };
}

function readNotes(bytes: Buffer): { readonly name: string; readonly type: number; readonly data: DataView }[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const notes: { readonly name: string; readonly type: number; readonly data: DataView }[] = [];
  const padded = (length: number) => Math.ceil(length / 4) * 4;
  let at = 0;
  for (; at + 12 <= bytes.length; ) {
    const [nameSize, size, type] = [0, 4, 8].map((offset) => view.getUint32(at + offset, true)) as [number, number, number];
    const name = bytes.subarray(at + 12, at + 12 + nameSize - 1).toString("latin1");
    const start = at + 12 + padded(nameSize);
    notes.push({ name, type, data: new DataView(bytes.buffer, bytes.byteOffset + start, size) });
    at = start + padded(size);
  }
  if (at !== bytes.length) throw new Error("the notes do not fill their segment");
  return notes;
}

function readFiles(data: DataView): { start: bigint; end: bigint; offset: bigint; path: string }[] {
  const count = Number(data.getBigUint64(0, true));
  const names = text(data, 16 + count * 24, data.byteLength, false).split("\0");
  return Array.from({ length: count }, (_, i) => {
    const [start, end, offset] = [0, 8, 16].map((k) => data.getBigUint64(16 + i * 24 + k, true)) as [bigint, bigint, bigint];
    return { start, end, offset, path: names[i] ?? "" };
  });
}

function text(data: DataView, from: number, length: number, toNul = true): string {
  const all = Buffer.from(data.buffer, data.byteOffset + from, Math.min(length, data.byteLength - from)).toString("utf8");
  return toNul ? (all.split("\0")[0] ?? "") : all;
}
