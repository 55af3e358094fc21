/**
 * gdb's output formats: `p/x`, `x/8xg`. A format is a count, a letter and a unit, in any order of the last two.
 *
 *   /8xg   8 giant words in hexadecimal      x hex  d signed  u unsigned  o octal  t binary  z hex with zeros  a address and symbol
 *   /s     a string                          c character  f floating point  s string  i instruction      b 1  h 2  w 4  g 8 bytes
 */
import { UsageError } from "../../bytes/errors.ts";
import { escapeByte } from "./escape-byte.ts";
import type { SymbolLabel } from "./value-node.ts";

export type FormatLetter = "x" | "d" | "u" | "o" | "t" | "z" | "a" | "c" | "f" | "s" | "i";
export type UnitLetter = "b" | "h" | "w" | "g";

export interface ValueFormat {
  /** Negative: backwards. */
  readonly count: number | undefined;
  readonly letter: FormatLetter | undefined;
  readonly unit: UnitLetter | undefined;
}

export const UNIT_BYTES: Readonly<Record<UnitLetter, number>> = { b: 1, h: 2, w: 4, g: 8 };

const LETTERS = "xduotzacfsi";
const UNITS = "bhwg";

/** Reads what stands behind the slash. `r` (raw) is accepted and changes nothing. Throws UsageError. */
export function parseFormat(text: string): ValueFormat {
  const [, digits = "", letters = ""] = /^(-?\d*)(.*)$/s.exec(text) ?? [];
  let letter: FormatLetter | undefined;
  let unit: UnitLetter | undefined;
  for (const each of letters) {
    if (UNITS.includes(each)) unit = each as UnitLetter;
    else if (LETTERS.includes(each)) letter = each as FormatLetter;
    else if (each !== "r")
      throw new UsageError(`"/${text}": "${each}" is no format; formats are ${[...LETTERS].join(" ")}, units ${[...UNITS].join(" ")}`);
  }
  if (digits === "-") throw new UsageError(`"/${text}": a count is missing behind the minus`);
  return { count: digits === "" ? undefined : Number(digits), letter, unit };
}

/** Splits "/8xg expression" into the format and the rest; `format` is undefined without a slash. */
export function splitFormat(line: string): { readonly format: string | undefined; readonly rest: string } {
  const found = /^\/(\S*)\s*(.*)$/s.exec(line.trim());
  return found === null ? { format: undefined, rest: line.trim() } : { format: found[1] as string, rest: found[2] as string };
}

export interface FormattedScalar {
  /** Bits of the value, of any sign. */
  readonly value: bigint;
  /** Bytes of the type. */
  readonly size: number;
  readonly signed: boolean;
  readonly isFloat: boolean;
  /** Names an address. */
  readonly label?: (address: bigint) => SymbolLabel | undefined;
  /** x command: hexadecimal and binary have all their digits. */
  readonly padded?: boolean;
}

/** A scalar in a format; undefined where the format says nothing of it ("s") and the plain form is to be shown. */
export function formatScalar(letter: FormatLetter, scalar: FormattedScalar): string | undefined {
  const { size, padded = false } = scalar;
  if (letter === "f") return floatingText(scalar);
  // gdb converts a floating-point value to an integer before it shows it as one.
  const value = scalar.isFloat ? BigInt(Math.trunc(finite(floatOf(scalar.value, size)))) : scalar.value;
  const bits = size * 8;
  const raw = BigInt.asUintN(bits, value);
  switch (letter) {
    case "x":
      return `0x${raw.toString(16).padStart(padded ? size * 2 : 1, "0")}`;
    case "z":
      return `0x${raw.toString(16).padStart(size * 2, "0")}`;
    case "d":
      return BigInt.asIntN(bits, value).toString();
    case "u":
      return raw.toString();
    case "o":
      return raw === 0n ? "0" : `0${raw.toString(8)}`;
    case "t":
      return raw.toString(2).padStart(padded ? bits : 1, "0");
    case "a": {
      const symbol = scalar.label?.(raw);
      return `0x${raw.toString(16)}${symbol === undefined ? "" : ` <${symbol.name}${symbol.offset === 0 ? "" : `+${symbol.offset}`}>`}`;
    }
    case "c": {
      const character = scalar.signed ? BigInt.asIntN(8, value) : BigInt.asUintN(8, value);
      return `${character} '${escapeByte(Number(BigInt.asUintN(8, value)), "'")}'`;
    }
    default:
      return undefined;
  }
}

/** A word of the size of a floating-point type is taken for one; others are integers. */
function floatingText({ value, size, signed }: FormattedScalar): string {
  if (size === 4 || size === 8) return floatText(floatOf(value, size), size);
  return (signed ? BigInt.asIntN(size * 8, value) : BigInt.asUintN(size * 8, value)).toString();
}

function finite(value: number): number {
  return Number.isFinite(value) ? value : 0;
}

export function floatOf(bits: bigint, size: number): number {
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, BigInt.asUintN(64, bits), true);
  return size === 4 ? view.getFloat32(0, true) : view.getFloat64(0, true);
}

/** C's %g with the digits that tell all values of the type apart: 9 for a float, 17 for a double. */
export function floatText(value: number, size: number): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value < 0 ? "-inf" : "inf";
  if (value === 0) return Object.is(value, -0) ? "-0" : "0";
  const digits = size === 4 ? 9 : 17;
  const [mantissa = "", power = ""] = value.toExponential(digits - 1).split("e");
  const exponent = Number(power);
  const trimmed = (text: string) => (text.includes(".") ? text.replace(/\.?0+$/, "") : text);
  if (exponent >= -4 && exponent < digits) return trimmed(value.toFixed(Math.min(100, digits - 1 - exponent)));
  return `${trimmed(mantissa)}e${exponent < 0 ? "-" : "+"}${Math.abs(exponent).toString().padStart(2, "0")}`;
}
