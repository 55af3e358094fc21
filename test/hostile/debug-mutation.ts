/** Seeded damage to debug files: to one section of an ELF file, to its headers, to bytes without sections. */
import { MemorySource } from "../../src/bytes/memory-source.ts";
import { Random } from "../../src/bytes/testing/random.ts";
import { Elf } from "../../src/debug-info/elf.ts";

/** Values that are wrong in many ways when they stand in for a length, an offset, a count, an address. */
const EXTREMES = [
  0n,
  1n,
  0x7fn,
  0x80n,
  0xffffn,
  0x7fff_ffffn,
  0xffff_ff00n,
  0xffff_ffffn,
  1n << 40n,
  (1n << 53n) - 1n,
  1n << 63n,
  (1n << 64n) - 1n,
];

/** What the program itself needs: no reader looks at it. */
const PROGRAM = new Set([".text", ".text.unlikely", ".rodata", ".rodata.str1.1", ".data", ".comment"]);

export interface Place {
  readonly name: string;
  readonly from: number;
  readonly to: number;
}

/** Sections with content, the ELF header and the section headers: the places in which damage differs. */
export function placesOf(bytes: Uint8Array): readonly Place[] {
  const elf = Elf.open(new MemorySource("fixture", bytes));
  const sections = elf.sections.flatMap(({ name, type, offset, size }) =>
    type !== 0 && type !== 8 && size > 0 && !PROGRAM.has(name) ? [{ name, from: offset, to: offset + size }] : [],
  );
  const table = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(40, true));
  return [...sections, { name: "ELF header", from: 0, to: 64 }, { name: "section headers", from: table, to: bytes.length }];
}

/** One to four changes within a range: a bit, a byte, a word, a LEB128 number without end, another piece of the same range. */
export function damage(bytes: Uint8Array, { from, to }: Place, seed: number): Uint8Array {
  const random = new Random(seed);
  const copy = Uint8Array.from(bytes);
  const view = new DataView(copy.buffer);
  for (let count = 1 + random.below(4); count > 0; count--) {
    const at = from + random.below(to - from);
    const room = to - at;
    const extreme = EXTREMES[random.below(EXTREMES.length)]!;
    switch (random.below(7)) {
      case 0:
        copy[at]! ^= 1 << random.below(8);
        break;
      case 1:
        copy[at] = random.below(256);
        break;
      case 2:
        if (room >= 4) view.setUint32(at, Number(extreme & 0xffff_ffffn), true);
        break;
      case 3:
        if (room >= 8) view.setBigUint64(at, extreme, true);
        break;
      case 4:
        copy.fill(0xff, at, Math.min(to, at + 1 + random.below(12)));
        break;
      case 5: {
        const source = from + random.below(to - from);
        copy.copyWithin(at, source, source + Math.min(1 + random.below(32), room, to - source));
        break;
      }
      default:
        copy.fill(0, at, Math.min(to, at + 1 + random.below(16)));
    }
  }
  return copy;
}
