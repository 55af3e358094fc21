/** Characters in memory: as many as can be read, up to a limit, and what they are as text. */
import { add, type VirtualAddress } from "../../bytes/address.ts";
import { FaultError } from "../../bytes/errors.ts";
import type { Memory } from "../../kernel/address-space.ts";

/** Bytes as characters of the same number. */
export function latin1(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

const utf8 = new TextDecoder();

/** UTF-8 up to the first NUL. */
export function textOf(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return utf8.decode(end < 0 ? bytes : bytes.subarray(0, end));
}

/** As many of the bytes as can be read from the start on; the fault when it is none. */
export function readPrefix(memory: Memory, address: VirtualAddress, length: number): Uint8Array | FaultError {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) {
    try {
      bytes[i] = memory.u8(add(address, i));
    } catch (error) {
      if (!(error instanceof FaultError)) throw error;
      return i === 0 ? error : bytes.subarray(0, i);
    }
  }
  return bytes;
}

/** Bytes up to a NUL or the limit; what cannot be read ends them, and is the answer when nothing came before it. */
export function readString(
  memory: Memory,
  address: VirtualAddress,
  max: number,
): { readonly bytes: Uint8Array; readonly ended: boolean } | FaultError {
  const bytes: number[] = [];
  for (let i = 0; i < max; i++) {
    try {
      const byte = memory.u8(add(address, i));
      if (byte === 0) return { bytes: Uint8Array.from(bytes), ended: true };
      bytes.push(byte);
    } catch (error) {
      if (!(error instanceof FaultError)) throw error;
      if (i === 0) return error;
      break;
    }
  }
  return { bytes: Uint8Array.from(bytes), ended: false };
}
