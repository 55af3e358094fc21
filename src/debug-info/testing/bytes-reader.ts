/** Bytes as memory at an address: an image made by a test. Reads outside, or in a hole, throw FaultError. */
import type { VirtualAddress } from "../../bytes/address.ts";
import { FaultError } from "../../bytes/errors.ts";
import type { MemoryReader } from "../memory-reader.ts";

export class BytesReader implements MemoryReader {
  readonly #view: DataView;
  readonly #bytes: Uint8Array;
  readonly #start: VirtualAddress;
  readonly #holes: readonly (readonly [number, number])[];

  /** @param holes unreadable ranges as [start, end) offsets */
  constructor(bytes: Uint8Array, start: VirtualAddress, holes: readonly (readonly [number, number])[] = []) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#start = start;
    this.#holes = holes;
  }

  #at(address: VirtualAddress, size: number): number {
    const offset = BigInt.asUintN(64, address - this.#start);
    if (offset + BigInt(size) > BigInt(this.#bytes.length)) throw new FaultError(address, "virtual", "absent");
    const at = Number(offset);
    if (this.#holes.some(([from, to]) => at < to && at + size > from)) throw new FaultError(address, "virtual", "excluded");
    return at;
  }

  u8(address: VirtualAddress): number {
    return this.#view.getUint8(this.#at(address, 1));
  }

  u16(address: VirtualAddress): number {
    return this.#view.getUint16(this.#at(address, 2), true);
  }

  u32(address: VirtualAddress): number {
    return this.#view.getUint32(this.#at(address, 4), true);
  }

  u64(address: VirtualAddress): bigint {
    return this.#view.getBigUint64(this.#at(address, 8), true);
  }

  bytes(address: VirtualAddress, length: number): Uint8Array {
    const at = this.#at(address, length);
    return this.#bytes.slice(at, at + length);
  }
}
