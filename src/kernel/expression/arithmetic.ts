/** What C's binary operators make of two scalars. Pointer sums are evaluate.ts's: they need the pointer's target. */
import { sizeOf } from "../../debug-info/c-type.ts";
import {
  asFloat,
  asPointer,
  commonType,
  DOUBLE,
  FLOAT,
  floatBits,
  INT,
  promote,
  type Scalar,
  toNumber,
  UNSIGNED_LONG,
  wrap,
} from "./values.ts";

/** The result, or what is wrong in words. */
export function arithmetic(operator: string, left: Scalar, right: Scalar): Scalar | string {
  if (asFloat(left.type) !== undefined || asFloat(right.type) !== undefined) return floating(operator, left, right);
  const pointers = asPointer(left.type) !== undefined || asPointer(right.type) !== undefined;
  const [a, b] = pointers ? [asWord(left), asWord(right)] : [promote(left), promote(right)];
  if (operator === "<<" || operator === ">>") {
    if (pointers) return `"${operator}" does not take a pointer`;
    // C leaves a shift by the width or more undefined, and gdb answers 0; neither is what 1<<32 was meant to say.
    const bits = BigInt(sizeOf(a.type)) * 8n;
    if (b.value < 0n || b.value >= bits) {
      const wider = bits < 64n && b.value >= 0n && b.value < 64n ? "; give it a UL or a cast to long" : "";
      return `shift by ${b.value}: a ${bits}-bit value is shifted by 0 to ${bits - 1n}${wider}`;
    }
    const shifted = operator === "<<" ? a.value << b.value : a.value >> b.value;
    return { type: a.type, value: wrap(shifted, a.type) };
  }
  const type = commonType(a.type, b.type);
  const x = wrap(a.value, type);
  const y = wrap(b.value, type);
  const compared = compare(operator, x, y);
  if (compared !== undefined) return truth(compared);
  if (pointers) return `"${operator}" does not take a pointer`;
  if ((operator === "/" || operator === "%") && y === 0n) return "division by zero";
  const value = combine(operator, x, y);
  return value === undefined ? `"${operator}" is no operator` : { type, value: wrap(value, type) };
}

function floating(operator: string, left: Scalar, right: Scalar): Scalar | string {
  if (asPointer(left.type) !== undefined || asPointer(right.type) !== undefined) return `"${operator}" does not take a pointer`;
  const x = toNumber(left);
  const y = toNumber(right);
  const compared = compare(operator, x, y);
  if (compared !== undefined) return truth(compared);
  const double = [left, right].some(({ type }) => asFloat(type)?.size === 8);
  const type = double ? DOUBLE : FLOAT;
  switch (operator) {
    case "+":
      return { type, value: floatBits(x + y, type) };
    case "-":
      return { type, value: floatBits(x - y, type) };
    case "*":
      return { type, value: floatBits(x * y, type) };
    case "/":
      return { type, value: floatBits(x / y, type) };
    default:
      return `"${operator}" takes integers`;
  }
}

function asWord({ value }: Scalar): { readonly type: typeof UNSIGNED_LONG; readonly value: bigint } {
  return { type: UNSIGNED_LONG, value: wrap(value, UNSIGNED_LONG) };
}

export function truth(value: boolean): Scalar {
  return { type: INT, value: value ? 1n : 0n };
}

function compare<T extends bigint | number>(operator: string, x: T, y: T): boolean | undefined {
  switch (operator) {
    case "==":
      return x === y;
    case "!=":
      return x !== y;
    case "<":
      return x < y;
    case ">":
      return x > y;
    case "<=":
      return x <= y;
    case ">=":
      return x >= y;
    default:
      return undefined;
  }
}

function combine(operator: string, x: bigint, y: bigint): bigint | undefined {
  switch (operator) {
    case "+":
      return x + y;
    case "-":
      return x - y;
    case "*":
      return x * y;
    case "/":
      return x / y;
    case "%":
      return x % y;
    case "&":
      return x & y;
    case "|":
      return x | y;
    case "^":
      return x ^ y;
    default:
      return undefined;
  }
}
