/**
 * Variables of static storage: globals, those of one file, and those within a function. DWARF 5, section 4.1.
 *
 *   variable   location: addr ffffffff82a04000            (addrx N in version 5 of clang; per-CPU ones: their offset)
 *      └ specification ► variable (declaration): name, type      where a header declared it before
 */
import type { CType } from "../c-type.ts";
import type { GlobalVariable, SourcePlace } from "../debug-info.ts";
import {
  DW_AT_declaration,
  DW_AT_external,
  DW_AT_location,
  DW_AT_name,
  DW_OP_addr,
  DW_OP_addrx,
  DW_OP_GNU_addr_index,
  DW_OP_plus_uconst,
  DW_TAG_subprogram,
  DW_TAG_variable,
} from "./constants.ts";
import type { Die, Unit } from "./die.ts";
import { holderOf, originChain } from "./scopes-origin.ts";
import type { DescribedBy } from "./variables.ts";

class DwarfGlobal implements GlobalVariable {
  readonly name: string;
  readonly address: bigint | undefined;
  readonly external: boolean;
  readonly #by: DescribedBy;
  readonly #die: Die;
  constructor(by: DescribedBy, die: Die, name: string) {
    this.name = name;
    this.address = addressOf(die);
    this.external = holderOf(die, DW_AT_external)?.flag(DW_AT_external) ?? false;
    this.#by = by;
    this.#die = die;
  }
  get type(): CType {
    return this.#by.types.typeOf(this.#die);
  }
  get declared(): SourcePlace | undefined {
    return this.#by.places.declared(this.#die);
  }
  get scope(): string | undefined {
    return enclosingFunction(this.#die);
  }
}

/** The variable of an entry; undefined when it is none of static storage, or only says that one is defined elsewhere. */
export function globalVariable(by: DescribedBy, die: Die): GlobalVariable | undefined {
  if (die.tag !== DW_TAG_variable || (die.flag(DW_AT_declaration) && !die.has(DW_AT_location))) return undefined;
  const name = holderOf(die, DW_AT_name)?.name;
  return name === undefined ? undefined : new DwarfGlobal(by, die, name);
}

/** Link-time address of an entry whose location is one; undefined for all others. */
export function addressOf(die: Die): bigint | undefined {
  const holder = holderOf(die, DW_AT_location);
  const expression = holder?.bytes(DW_AT_location);
  return holder === undefined || expression === undefined ? undefined : staticAddress(expression, holder.unit);
}

/** `addr X`, `addrx I`, both with `plus_uconst N` behind where the compiler merged variables. */
function staticAddress(expression: Uint8Array, unit: Unit): bigint | undefined {
  const view = new DataView(expression.buffer, expression.byteOffset, expression.byteLength);
  let base: bigint | undefined;
  let at = 1;
  switch (expression[0]) {
    case DW_OP_addr:
      if (expression.length < 1 + unit.addressSize) return undefined;
      base = unit.addressSize === 8 ? view.getBigUint64(1, true) : BigInt(view.getUint32(1, true));
      at += unit.addressSize;
      break;
    case DW_OP_addrx:
    case DW_OP_GNU_addr_index: {
      const index = unsigned(expression, 1);
      if (index === undefined) return undefined;
      base = unit.addressAt(index.value);
      at = index.end;
      break;
    }
    default:
      return undefined;
  }
  if (at === expression.length) return base;
  const added = expression[at] === DW_OP_plus_uconst ? unsigned(expression, at + 1) : undefined;
  return added !== undefined && added.end === expression.length ? BigInt.asUintN(64, base + BigInt(added.value)) : undefined;
}

/** ULEB128 within the safe integers. */
function unsigned(bytes: Uint8Array, from: number): { readonly value: number; readonly end: number } | undefined {
  let value = 0;
  for (let at = from, scale = 1; at < bytes.length; at++, scale *= 128) {
    const byte = bytes[at] as number;
    value += (byte & 0x7f) * scale;
    if (!Number.isSafeInteger(value)) return undefined;
    if (byte < 0x80) return { value, end: at + 1 };
  }
  return undefined;
}

/** Name of the function whose entry is around this one: entries of a unit lie within each other as their offsets do. */
function enclosingFunction(die: Die): string | undefined {
  let around: Die | undefined;
  for (const top of die.unit.root.children()) {
    if (top.offset >= die.offset) {
      if (top.offset === die.offset) return undefined;
      break;
    }
    around = top;
  }
  if (around?.tag !== DW_TAG_subprogram) return undefined;
  return holderOf(originChain(around).at(-1) ?? around, DW_AT_name)?.name;
}
