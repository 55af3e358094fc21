/**
 * Runs of one kind of content in memory: text, or bytes that repeat. A pointer in the middle of such a run was written over.
 *
 *   … 61 62 63 64 65 66 67 68 │ 69 6a 6b 6c 6d 6e 6f 70 │ 71 72 00          text from there to here; the pointer is 706f6e6d6c6b6a69
 */
import { type VirtualAddress, virtual } from "../../bytes/address.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { poisonOf } from "../../linux/poison.ts";

export interface ContentRun {
  readonly kind: "text" | "pattern";
  /** First byte, and the byte behind the last. */
  readonly start: bigint;
  readonly end: bigint;
  /** What it is, for people: `"disk-name-0"`, "bytes 41". */
  readonly text: string;
}

/** Bytes that are looked at either way. */
const REACH = 512;
/** Letters of text that are shown. */
const SHOWN = 32;
/** A run that says something: two words. */
const TELLING = 16;

/**
 * The run that a word in memory lies in; undefined when the word is neither text nor a pattern, or stands alone.
 * @param word the value, whose bytes must be the run's
 * @param floor where the memory begins that it lies in: what stands before it is another's
 */
export function contentRun(kernel: Kernel, address: bigint, word: bigint, floor?: bigint): ContentRun | undefined {
  const bytes = Array.from({ length: 8 }, (_, i) => Number((word >> BigInt(i * 8)) & 0xffn));
  if (poisonOf(word) !== undefined) return undefined;
  const period = periodOf(bytes);
  if (period !== undefined)
    return runOf(kernel, address, "pattern", (at, byte) => byte === bytes[((at % period) + period) % period], 8, floor);
  const letters = bytes.filter(isLetter).length;
  const closed = bytes.slice(bytes.indexOf(0)).every((byte) => byte === 0);
  // A terminated string's last letters, or text all through.
  if (letters < 4 || (letters < 8 && !(bytes.includes(0) && closed && bytes.indexOf(0) === letters))) return undefined;
  return runOf(kernel, address, "text", (_, byte) => isLetter(byte), letters, floor);
}

/** Numbers of the array before a pointer that its halves are held against. */
const BEFORE = 4;

/**
 * Numbers that go on over a pointer: the array of 4-byte numbers that ends where the pointer stands has more of their kind in it.
 *
 *   u32 values[12]: … 0014000a 0016000b │ client = 001a000d0018000c            two more of them
 *
 * @param length bytes of the array before the pointer
 */
export function numbersOver(kernel: Kernel, address: bigint, word: bigint, length: number): ContentRun | undefined {
  const halves = [Number(word & 0xffff_ffffn), Number(word >> 32n)];
  if (halves.some((half) => half === 0 || half === 0xffff_ffff) || length < BEFORE * 4) return undefined;
  const before = Array.from({ length: BEFORE }, (_, i) => kernel.memory.tryU32(virtual(BigInt.asUintN(64, address - BigInt((i + 1) * 4)))));
  const known = before.flatMap((each) => (each === undefined || each === 0 ? [] : [each]));
  if (known.length < BEFORE) return undefined;
  const low = Math.min(...known) / 2;
  const high = Math.max(...known) * 2;
  if (halves.some((half) => half < low || half > high)) return undefined;
  const text = `${known.length} numbers like ${known[0]?.toString(16)} and more of them`;
  return { kind: "pattern", start: address - BigInt(length), end: address + 8n, text };
}

/** Length of the unit that eight bytes are made of: 1, 2 or 4; zeros and ones are none. */
function periodOf(bytes: readonly number[]): number | undefined {
  if (new Set(bytes).size === 1) return bytes[0] === 0 || bytes[0] === 255 ? undefined : 1;
  return [2, 4].find((period) => bytes.every((byte, i) => byte === bytes[i % period]) && bytes.every((byte) => byte !== 0 && byte !== 255));
}

/** The text that a value's eight bytes are, as it lies in memory; undefined when they are none. Words of one letter are patterns. */
export function letters(word: bigint): string | undefined {
  const bytes = Array.from({ length: 8 }, (_, i) => Number((word >> BigInt(i * 8)) & 0xffn));
  if (!bytes.every(isLetter) || new Set(bytes).size < 3 || poisonOf(word) !== undefined) return undefined;
  return String.fromCharCode(...bytes.map((byte) => (byte < 0x20 ? 0x2e : byte)));
}

function isLetter(byte: number): boolean {
  return (byte >= 0x20 && byte < 0x7f) || byte === 9 || byte === 10 || byte === 13;
}

function runOf(
  kernel: Kernel,
  address: bigint,
  kind: ContentRun["kind"],
  belongs: (at: number, byte: number) => boolean,
  within = 8,
  floor = 0n,
): ContentRun | undefined {
  const byteAt = (at: number): number | undefined => {
    const bytes = kernel.memory.tryBytes(virtual(BigInt.asUintN(64, address + BigInt(at))) as VirtualAddress, 1);
    return bytes?.[0];
  };
  const holds = (at: number): boolean => {
    const byte = byteAt(at);
    return byte !== undefined && belongs(at, byte);
  };
  let low = 0;
  while (low > -REACH && address + BigInt(low) > floor && holds(low - 1)) low--;
  let high = within;
  if (within === 8) while (high < REACH && holds(high)) high++;
  // The word itself must be there.
  for (let at = 0; at < within; at++) if (!holds(at)) return undefined;
  if (high - low < TELLING) return undefined;
  const shown = Array.from({ length: Math.min(high - low, SHOWN) }, (_, i) => byteAt(low + i) ?? 0);
  const text =
    kind === "text" || shown.every(isLetter)
      ? `"${String.fromCharCode(...shown.map((byte) => (byte < 0x20 ? 0x2e : byte)))}${high - low > SHOWN ? "…" : ""}"`
      : `bytes ${shown
          .slice(0, 4)
          .map((byte) => byte.toString(16).padStart(2, "0"))
          .join(" ")} …`;
  return { kind, start: address + BigInt(low), end: address + BigInt(high), text };
}
