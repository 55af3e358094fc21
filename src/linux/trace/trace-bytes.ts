/** Bytes of a trace record as numbers and text: integers, strings, hex dumps, bitmasks. */

const latin = new TextDecoder("utf-8", { fatal: false });

/** A little-endian integer of up to eight bytes; bytes that are not there count as 0. */
export function integer(bytes: Uint8Array, at: number, size: number, signed: boolean): bigint {
  let value = 0n;
  for (let i = Math.min(8, size) - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[at + i] ?? 0);
  return signed ? BigInt.asIntN(size * 8, value) : value;
}

/** Text up to the first NUL. */
export function textOf(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return latin.decode(end < 0 ? bytes : bytes.subarray(0, end));
}

/** "de ad be ef" with the given separator. */
export function hexBytes(bytes: Uint8Array, separator: string): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(separator);
}

/** As %*pb shows it: 32-bit words from the highest, with commas. */
export function bitmask(bytes: Uint8Array): string {
  const words: string[] = [];
  for (let at = 0; at < bytes.length; at += 4)
    words.unshift(
      integer(bytes, at, Math.min(4, bytes.length - at), false)
        .toString(16)
        .padStart(8, "0"),
    );
  return words.join(",").replace(/^[0,]+(?=[0-9a-f])/, "");
}
