/**
 * printf as the kernel's trace formats use it (lib/vsprintf.c): widths, precisions, flags, and the pointer formats that name symbols and
 * addresses. Pointers are shown as they are; the kernel itself would show a hash.
 */
import { virtual } from "../../bytes/address.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { TraceValue } from "./trace-record.ts";

const SPEC = /%([-+ #0]*)(\*|\d+)?(?:\.(\*|\d+)?)?(hh|h|ll|l|L|q|z|t|j)?(p[A-Za-z0-9]*|[diuxXocs%])/g;
/** Wider columns than any terminal are a damaged format. */
const MAX_WIDTH = 4096;

/** Names an address as %pS does: function+0x12/0x80 [module]. */
export function symbolText(kernel: Kernel, address: bigint, offset: boolean): string {
  const found = kernel.symbols.byAddress(virtual(address));
  if (found === undefined) return `0x${address.toString(16)}`;
  const { symbol } = found;
  const module = symbol.module === undefined ? "" : ` [${symbol.module}]`;
  const behind = Number(address - symbol.address);
  return offset ? `${symbol.name}+0x${behind.toString(16)}/0x${(symbol.size ?? 0).toString(16)}${module}` : `${symbol.name}${module}`;
}

/** @param textOf the text behind a value, for %s */
export function formatText(kernel: Kernel, format: string, args: readonly TraceValue[], textOf: (value: TraceValue) => string): string {
  let next = 0;
  const take = (): TraceValue => args[next++] ?? 0n;
  const taken = (given: string | undefined): number | undefined => {
    if (given === undefined) return undefined;
    const value = given === "*" ? take() : BigInt(given);
    return Math.max(-MAX_WIDTH, Math.min(MAX_WIDTH, Number(typeof value === "bigint" ? BigInt.asIntN(32, value) : 0)));
  };
  return format.replace(
    SPEC,
    (whole, flags: string, widthText: string | undefined, precisionText: string | undefined, size, letter: string) => {
      if (letter === "%") return "%";
      const width = taken(widthText) ?? 0;
      const precision = whole.includes(".") ? (taken(precisionText) ?? 0) : undefined;
      const left = flags.includes("-") || width < 0;
      let text: string;
      if (letter === "s") text = textOf(take()).slice(0, precision);
      else if (letter === "c") text = String.fromCharCode(Number(BigInt.asUintN(8, numberOf(take()))));
      else if (letter.startsWith("p")) text = pointerText(kernel, letter, take(), width);
      else text = integerText(letter, numberOf(take()), bitsOf(size), flags, precision);
      const missing = Math.abs(width) - text.length;
      if (missing <= 0) return text;
      if (left) return text + " ".repeat(missing);
      // Zeroes go behind the sign and 0x.
      const zeroes = flags.includes("0") && letter !== "s" && letter !== "c" && precision === undefined;
      const head = zeroes ? (/^(-|0x)/i.exec(text)?.[0] ?? "") : "";
      return zeroes ? head + "0".repeat(missing) + text.slice(head.length) : " ".repeat(missing) + text;
    },
  );
}

function numberOf(value: TraceValue): bigint {
  return typeof value === "bigint" ? value : 0n;
}

function bitsOf(size: string | undefined): number {
  if (size === "hh") return 8;
  if (size === "h") return 16;
  return size === undefined ? 32 : 64;
}

function integerText(letter: string, value: bigint, bits: number, flags: string, precision: number | undefined): string {
  const signed = letter === "d" || letter === "i";
  const number = signed ? BigInt.asIntN(bits, value) : BigInt.asUintN(bits, value);
  const radix = letter === "o" ? 8 : letter === "x" || letter === "X" ? 16 : 10;
  let digits = (number < 0n ? -number : number).toString(radix).padStart(precision ?? 1, "0");
  if (letter === "X") digits = digits.toUpperCase();
  const sign = number < 0n ? "-" : signed && flags.includes("+") ? "+" : signed && flags.includes(" ") ? " " : "";
  const prefix = !flags.includes("#") ? "" : radix === 16 ? (letter === "X" ? "0X" : "0x") : radix === 8 ? "0" : "";
  return sign + prefix + digits;
}

/** %p and what may follow it (Documentation/core-api/printk-formats.rst). */
function pointerText(kernel: Kernel, letter: string, value: TraceValue, width: number): string {
  const kind = letter.slice(1);
  if (typeof value === "string") return value;
  if (typeof value === "bigint") {
    const address = BigInt.asUintN(64, value);
    if (/^[SBR]/.test(kind)) return symbolText(kernel, address, true);
    if (/^[sfF]/.test(kind)) return symbolText(kernel, address, kind.startsWith("F"));
    const bytes = bytesBehind(kernel, kind, address, width);
    if (bytes === undefined) return kind === "x" ? address.toString(16) : address.toString(16).padStart(16, "0");
    return bytesText(kind, bytes);
  }
  return bytesText(kind, value);
}

/** Formats whose pointer leads to bytes of a known length. */
function bytesBehind(kernel: Kernel, kind: string, address: bigint, width: number): Uint8Array | undefined {
  const length =
    kind.startsWith("M") || kind.startsWith("m")
      ? 6
      : kind.startsWith("I4") || kind.startsWith("i4")
        ? 4
        : /^[Ii]6|^U/.test(kind)
          ? 16
          : kind.startsWith("h")
            ? width
            : 0;
  return length === 0 ? undefined : kernel.memory.tryBytes(virtual(address), length);
}

function bytesText(kind: string, bytes: Uint8Array): string {
  const hex = (from: number, to: number, separator: string) =>
    [...bytes.subarray(from, to)].map((byte) => byte.toString(16).padStart(2, "0")).join(separator);
  if (/^M/.test(kind)) return hex(0, 6, ":");
  if (/^m/.test(kind)) return hex(0, 6, "");
  if (/^[Ii]4/.test(kind) || (/^IS/.test(kind) && bytes[0] === 2)) {
    const at = /^IS/.test(kind) ? 4 : 0;
    const port = /^IS.*p/.test(kind) ? `:${((bytes[2] ?? 0) << 8) | (bytes[3] ?? 0)}` : "";
    return `${bytes.subarray(at, at + 4).join(".")}${port}`;
  }
  if (/^[Ii]6/.test(kind) || (/^IS/.test(kind) && bytes[0] === 10)) {
    const at = /^IS/.test(kind) ? 8 : 0;
    return Array.from({ length: 8 }, (_, i) => (((bytes[at + i * 2] ?? 0) << 8) | (bytes[at + i * 2 + 1] ?? 0)).toString(16)).join(":");
  }
  if (/^U/.test(kind) && bytes.length >= 16)
    return [hex(0, 4, ""), hex(4, 6, ""), hex(6, 8, ""), hex(8, 10, ""), hex(10, 16, "")].join("-");
  return hex(0, bytes.length, kind === "hN" ? "" : kind === "hC" ? ":" : kind === "hD" ? "-" : " ");
}
