/**
 * Arguments of trace_printk() as vbin_printf() packs them (lib/vsprintf.c), to be read along the format string.
 *
 *   numbers   aligned to their size, 8 bytes only to 4; char and short keep their width
 *   %s        the text itself, NUL-terminated, unaligned
 *   %p…       a pointer for %p, %px, %ps, %pS, %pB; text already made for all others (841a915d20c7, 4.16)
 */
import type { TraceValue } from "./trace-record.ts";

const SPEC = /%[-+ #0]*(\*|\d+)?(?:\.(\*|\d+)?)?(hh|h|ll|l|L|q|z|t|j)?(p[A-Za-z0-9]*|[diuxXocs%])/g;
const latin = new TextDecoder("utf-8", { fatal: false });

/** Values in the order formatText() takes them; stops where the bytes end. */
export function binaryArguments(format: string, bytes: Uint8Array): TraceValue[] {
  const values: TraceValue[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = 0;
  const number = (size: number): boolean => {
    const align = Math.min(size, 4);
    at = Math.ceil(at / align) * align;
    if (at + size > bytes.length) return false;
    values.push(
      size === 8
        ? view.getBigUint64(at, true)
        : BigInt(size === 4 ? view.getUint32(at, true) : size === 2 ? view.getUint16(at, true) : view.getUint8(at)),
    );
    at += size;
    return true;
  };
  const text = (): boolean => {
    const end = bytes.indexOf(0, at);
    if (at >= bytes.length) return false;
    values.push(latin.decode(bytes.subarray(at, end < 0 ? undefined : end)));
    at = end < 0 ? bytes.length : end + 1;
    return true;
  };
  for (const [, width, precision, size, letter] of format.matchAll(SPEC)) {
    if (letter === undefined || letter === "%") continue;
    if (width === "*" && !number(4)) break;
    if (precision === "*" && !number(4)) break;
    const bytesOf = size === "hh" ? 1 : size === "h" ? 2 : size === undefined ? 4 : 8;
    const pointer = letter.startsWith("p") && /^p([xsSB]|$)/.test(letter);
    const done =
      letter === "s" ? text() : letter === "c" ? number(1) : letter.startsWith("p") ? (pointer ? number(8) : text()) : number(bytesOf);
    if (!done) break;
  }
  return values;
}
