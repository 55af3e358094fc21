/** Enums and numbers as value nodes: which names a value has, and a number that JavaScript can hold exactly. */
import type { EnumType } from "../../debug-info/c-type.ts";
import type { EnumNode } from "./value-node.ts";

/** Name or names of an enum's value, by gdb's rule: flags when every constant is a single bit or zero. */
export function enumNode(type: string, plain: EnumType, value: bigint): EnumNode {
  const shown = exactNumber(value, plain.size);
  const found = plain.enumerators.find((each) => each.value === value);
  if (found !== undefined) return { kind: "enum", type, value: shown, names: [found.name] };
  const flags =
    plain.enumerators.length > 0 && plain.enumerators.every((each) => each.value >= 0n && (each.value & (each.value - 1n)) === 0n);
  if (!flags) return { kind: "enum", type, value: shown, names: [] };
  let rest = BigInt.asUintN(plain.size * 8, value);
  const names: string[] = [];
  for (const each of plain.enumerators) {
    if (each.value === 0n || (rest & each.value) === 0n) continue;
    names.push(each.name);
    rest &= ~each.value;
  }
  return { kind: "enum", type, value: shown, names, flags: true, ...(rest === 0n ? {} : { unknown: exactNumber(rest, plain.size) }) };
}

/** A number where it is exact as one, else its bits. */
export function exactNumber(value: bigint, size: number): number | bigint {
  const double = Number(value);
  return Number.isSafeInteger(double) ? double : BigInt.asUintN(size * 8, value);
}
