/**
 * Which shared libraries a 64-bit little-endian ELF program asks for (DT_NEEDED): as much of the dynamic section as it takes to gather a
 * program of another architecture with its libraries for a guest.
 */

const PT_LOAD = 1;
const PT_DYNAMIC = 2;
const PT_INTERP = 3;
const DT_NEEDED = 1n;
const DT_STRTAB = 5n;

interface Segment {
  readonly type: number;
  readonly offset: number;
  readonly address: number;
  readonly size: number;
}

function segments(view: DataView): Segment[] {
  const table = Number(view.getBigUint64(0x20, true));
  const entrySize = view.getUint16(0x36, true);
  return Array.from({ length: view.getUint16(0x38, true) }, (_, index) => {
    const at = table + index * entrySize;
    return {
      type: view.getUint32(at, true),
      offset: Number(view.getBigUint64(at + 8, true)),
      address: Number(view.getBigUint64(at + 16, true)),
      size: Number(view.getBigUint64(at + 32, true)),
    };
  });
}

function stringAt(bytes: Uint8Array, offset: number): string {
  return Buffer.from(bytes.subarray(offset, bytes.indexOf(0, offset))).toString("latin1");
}

/** The names in DT_NEEDED and the interpreter's path. */
export function neededLibraries(bytes: Uint8Array): { needed: string[]; interpreter: string | undefined } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 64 || view.getUint32(0, false) !== 0x7f454c46) throw new Error("not an ELF file");
  const all = segments(view);
  const interp = all.find((segment) => segment.type === PT_INTERP);
  const dynamic = all.find((segment) => segment.type === PT_DYNAMIC);
  const offsets: number[] = [];
  let strings = 0;
  for (let at = dynamic?.offset ?? 0; dynamic && at < dynamic.offset + dynamic.size; at += 16) {
    const tag = view.getBigUint64(at, true);
    const value = Number(view.getBigUint64(at + 8, true));
    if (tag === DT_NEEDED) offsets.push(value);
    if (tag === DT_STRTAB) {
      const load = all.find((segment) => segment.type === PT_LOAD && value >= segment.address && value < segment.address + segment.size);
      strings = value - (load?.address ?? 0) + (load?.offset ?? 0);
    }
  }
  return {
    needed: offsets.map((offset) => stringAt(bytes, strings + offset)),
    interpreter: interp === undefined ? undefined : stringAt(bytes, interp.offset),
  };
}
