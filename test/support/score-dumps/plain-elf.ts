/** An ELF file (64 bits, little-endian) read by a reader of its own: segments of a core, sections of a vmlinux. */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";

interface Piece {
  /** Virtual address for sections, physical address for segments. */
  readonly address: bigint;
  readonly size: bigint;
  readonly offset: bigint;
}

const PT_LOAD = 1;
const SHT_NOBITS = 8;
const SHF_ALLOC = 2n;
const SHF_EXECINSTR = 4n;

export class PlainElf {
  readonly path: string;
  /** PT_LOAD by physical address. */
  readonly segments: readonly Piece[];
  /** Allocated sections with bytes, executable ones only, by virtual address. */
  readonly text: readonly Piece[];
  readonly #descriptor: number;

  private constructor(path: string, descriptor: number, segments: readonly Piece[], text: readonly Piece[]) {
    this.path = path;
    this.#descriptor = descriptor;
    this.segments = segments;
    this.text = text;
  }

  /** undefined when the file is none. */
  static open(path: string): PlainElf | undefined {
    const descriptor = openSync(path, "r");
    const head = readAt(descriptor, 0n, 64);
    if (head === undefined || head.getUint32(0, false) !== 0x7f454c46 || head.getUint8(4) !== 2 || head.getUint8(5) !== 1) {
      closeSync(descriptor);
      return undefined;
    }
    const table = (offsetAt: number, sizeAt: number): DataView[] => {
      const start = head.getBigUint64(offsetAt, true);
      const [size, count] = [head.getUint16(sizeAt, true), head.getUint16(sizeAt + 2, true)];
      return Array.from({ length: count }, (_, i) => readAt(descriptor, start + BigInt(i * size), size)).filter(
        (each) => each !== undefined,
      );
    };
    const segments = table(32, 54)
      .filter((each) => each.getUint32(0, true) === PT_LOAD)
      .map((each) => ({ address: each.getBigUint64(24, true), size: each.getBigUint64(32, true), offset: each.getBigUint64(8, true) }));
    const text = table(40, 58)
      .filter(
        (each) =>
          each.getUint32(4, true) !== SHT_NOBITS &&
          (each.getBigUint64(8, true) & (SHF_ALLOC | SHF_EXECINSTR)) === (SHF_ALLOC | SHF_EXECINSTR),
      )
      .map((each) => ({ address: each.getBigUint64(16, true), size: each.getBigUint64(32, true), offset: each.getBigUint64(24, true) }));
    return new PlainElf(path, descriptor, segments, text);
  }

  /** Bytes of physical memory (of a core); undefined where no segment has all of them. */
  physical(address: bigint, length: number): Uint8Array | undefined {
    return this.#read(this.segments, address, length);
  }

  /** Bytes of the code at a link-time address (of a vmlinux). */
  code(address: bigint, length: number): Uint8Array | undefined {
    return this.#read(this.text, address, length);
  }

  #read(pieces: readonly Piece[], address: bigint, length: number): Uint8Array | undefined {
    const piece = pieces.find((each) => address >= each.address && address + BigInt(length) <= each.address + each.size);
    if (piece === undefined) return undefined;
    const view = readAt(this.#descriptor, piece.offset + address - piece.address, length);
    return view === undefined ? undefined : new Uint8Array(view.buffer);
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}

function readAt(descriptor: number, offset: bigint, length: number): DataView | undefined {
  if (offset + BigInt(length) > BigInt(fstatSync(descriptor).size)) return undefined;
  const bytes = new Uint8Array(length);
  return readSync(descriptor, bytes, 0, length, offset) === length ? new DataView(bytes.buffer) : undefined;
}
