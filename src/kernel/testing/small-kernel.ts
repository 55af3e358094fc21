/**
 * A small kernel for tests: sparse memory, C types laid out as a compiler would, symbols with addresses; the real Kernel and Types over
 * them.
 *
 *   const memory = new SparseMemory();
 *   const node = struct("node", [["next", pointerTo(() => node)], ["id", INT]]);
 *   const kernel = smallKernel({ memory, types: [node], symbols: { head: [0xffff800000001000n, "D"] }, variables: { head: node } });
 */
import type { Architecture } from "../../arch/architecture.ts";
import { add, type VirtualAddress, virtual } from "../../bytes/address.ts";
import { FaultError } from "../../bytes/errors.ts";
import type {
  ArrayType,
  CType,
  EnumType,
  FunctionType,
  IntType,
  Member,
  PointerType,
  StructType,
  TypedefType,
  TypeKey,
  TypeSource,
} from "../../debug-info/c-type.ts";
import { sizeOf, strip } from "../../debug-info/c-type.ts";
import type { KernelSymbol, SymbolTable } from "../../debug-info/symbols.ts";
import type { AddressSpace, Memory } from "../address-space.ts";
import type { KernelDebugInfo } from "../debug-info.ts";
import { Kernel } from "../kernel.ts";
import { Types } from "../types.ts";

const PAGE = 4096n;

/** Memory that exists, in whole pages, where it was written. */
export class SparseMemory implements Memory {
  readonly #pages = new Map<bigint, Uint8Array>();

  write(address: bigint, bytes: Uint8Array): this {
    bytes.forEach((byte, i) => {
      const at = BigInt.asUintN(64, address + BigInt(i));
      const page = this.#pages.get(at / PAGE) ?? new Uint8Array(Number(PAGE));
      this.#pages.set(at / PAGE, page);
      page[Number(at % PAGE)] = byte;
    });
    return this;
  }

  /** A little-endian number of 1, 2, 4 or 8 bytes. */
  put(address: bigint, value: bigint | number, size = 8): this {
    const bits = BigInt.asUintN(size * 8, BigInt(value));
    return this.write(
      address,
      Uint8Array.from({ length: size }, (_, i) => Number((bits >> BigInt(i * 8)) & 0xffn)),
    );
  }

  text(address: bigint, text: string): this {
    return this.write(
      address,
      Uint8Array.from(text, (char) => char.charCodeAt(0)),
    );
  }

  bytes(address: VirtualAddress, length: number): Uint8Array {
    return Uint8Array.from({ length }, (_, i) => {
      const at = BigInt.asUintN(64, address + BigInt(i));
      const page = this.#pages.get(at / PAGE);
      if (page === undefined) throw new FaultError(at, "virtual", "unmapped");
      return page[Number(at % PAGE)] as number;
    });
  }

  #view(address: VirtualAddress, length: number): DataView {
    return new DataView(this.bytes(address, length).buffer);
  }

  u8 = (address: VirtualAddress): number => this.#view(address, 1).getUint8(0);
  u16 = (address: VirtualAddress): number => this.#view(address, 2).getUint16(0, true);
  u32 = (address: VirtualAddress): number => this.#view(address, 4).getUint32(0, true);
  u64 = (address: VirtualAddress): bigint => this.#view(address, 8).getBigUint64(0, true);
  s8 = (address: VirtualAddress): number => this.#view(address, 1).getInt8(0);
  s16 = (address: VirtualAddress): number => this.#view(address, 2).getInt16(0, true);
  s32 = (address: VirtualAddress): number => this.#view(address, 4).getInt32(0, true);
  s64 = (address: VirtualAddress): bigint => this.#view(address, 8).getBigInt64(0, true);

  cString(address: VirtualAddress, max = 4096): string {
    let text = "";
    for (let i = 0; i < max; i++) {
      const byte = this.u8(add(address, i));
      if (byte === 0) break;
      text += String.fromCharCode(byte);
    }
    return text;
  }

  tryU32 = (address: VirtualAddress): number | undefined => attempt(() => this.u32(address));
  tryU64 = (address: VirtualAddress): bigint | undefined => attempt(() => this.u64(address));
  tryBytes = (address: VirtualAddress, length: number): Uint8Array | undefined => attempt(() => this.bytes(address, length));

  translate(): never {
    throw new FaultError(0n, "physical", "unmapped");
  }
}

function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof FaultError) return undefined;
    throw error;
  }
}

function integer(name: string, size: number, signed: boolean, encoding: IntType["encoding"] = "int"): IntType {
  return { kind: "int", name, size, signed, encoding };
}

export const CHAR = integer("char", 1, true, "char");
export const U8 = integer("unsigned char", 1, false);
export const BOOL = integer("_Bool", 1, false, "bool");
export const SHORT = integer("short", 2, true);
export const INT = integer("int", 4, true);
export const UINT = integer("unsigned int", 4, false);
export const LONG = integer("long", 8, true);
export const ULONG = integer("unsigned long", 8, false);
export const VOID: CType = { kind: "void" };

/** A pointer; a function as target lets structures point to themselves. */
export function pointerTo(target: CType | (() => CType)): PointerType {
  if (typeof target !== "function") return { kind: "pointer", size: 8, target };
  return {
    kind: "pointer",
    size: 8,
    get target() {
      return target();
    },
  };
}

export function array(element: CType, length: number): ArrayType {
  return { kind: "array", element, length };
}

export function typedef(name: string, target: CType): TypedefType {
  return { kind: "typedef", name, target };
}

export function enumeration(name: string | undefined, constants: Readonly<Record<string, number>>): EnumType {
  const enumerators = Object.entries(constants).map(([each, value]) => ({ name: each, value: BigInt(value) }));
  return { kind: "enum", name, size: 4, signed: enumerators.some(({ value }) => value < 0n), enumerators };
}

export function functionType(returns: CType, ...parameters: CType[]): FunctionType {
  return { kind: "function", returns, parameters: parameters.map((type) => ({ name: undefined, type })), variadic: false };
}

/** Name (undefined: anonymous), type, width of a bitfield. */
export type MemberSpec = readonly [name: string | undefined, type: CType, bits?: number];

/** A structure laid out with C's alignment; bitfields are packed into units of their type. */
export function struct(name: string | undefined, specs: readonly MemberSpec[]): StructType {
  const members: Member[] = [];
  let bit = 0;
  let alignment = 1;
  for (const [memberName, type, bits] of specs) {
    const unit = alignmentOf(type) * 8;
    alignment = Math.max(alignment, unit / 8);
    const fits = bits !== undefined && Math.floor(bit / unit) === Math.floor((bit + bits - 1) / unit);
    const start = fits ? bit : Math.ceil(bit / unit) * unit;
    members.push({ name: memberName, type, bitOffset: start, bitSize: bits });
    bit = start + (bits ?? sizeOf(type) * 8);
  }
  return { kind: "struct", name, size: Math.ceil(bit / 8 / alignment) * alignment, members };
}

export function union(name: string | undefined, specs: readonly MemberSpec[]): StructType {
  const members = specs.map(([memberName, type, bits]): Member => ({ name: memberName, type, bitOffset: 0, bitSize: bits }));
  return { kind: "union", name, size: Math.max(0, ...specs.map(([, type]) => sizeOf(type))), members };
}

function alignmentOf(type: CType): number {
  const plain = strip(type);
  if (plain.kind === "array") return alignmentOf(plain.element);
  if (plain.kind === "struct" || plain.kind === "union") return Math.max(1, ...plain.members.map((member) => alignmentOf(member.type)));
  return Math.max(1, sizeOf(plain));
}

/** Types by name, as a reader of debug information would find them. */
export function typeSource(
  types: readonly CType[],
  others: Partial<Record<"function" | "variable", Readonly<Record<string, CType>>>> = {},
): TypeSource {
  const found = (key: TypeKey): readonly (readonly [string, CType])[] => {
    if (key === "function" || key === "variable") return Object.entries(others[key] ?? {});
    return [CHAR, INT, UINT, LONG, ULONG, ...types].flatMap((type): (readonly [string, CType])[] => {
      const kind = type.kind === "int" ? "base" : type.kind;
      return kind === key && "name" in type && type.name !== undefined ? [[type.name, type]] : [];
    });
  };
  return {
    owner: "vmlinux",
    find: (key, name) => found(key).find(([each]) => each === name)?.[1],
    findAll: (key, name) =>
      found(key)
        .filter(([each]) => each === name)
        .map(([, type]) => type),
    constant(name) {
      for (const type of types) {
        const value = type.kind === "enum" ? type.enumerators.find((each) => each.name === name)?.value : undefined;
        if (value !== undefined) return { value, type: type as EnumType };
      }
      return undefined;
    },
    names: (key, prefix, limit) =>
      found(key)
        .map(([name]) => name)
        .filter((name) => name.startsWith(prefix))
        .sort()
        .slice(0, limit),
    structs: () => types.filter((type): type is StructType => type.kind === "struct" || type.kind === "union"),
  };
}

/** name → address, letter, module. */
export type SymbolSpecs = Readonly<Record<string, readonly [address: bigint, type: string, module?: string]>>;

function symbolTable(specs: SymbolSpecs): SymbolTable {
  const sorted = Object.entries(specs).sort(([, [a]], [, [b]]) => (a < b ? -1 : a > b ? 1 : 0));
  const symbols = sorted.map(([name, [address, type, module]], i): KernelSymbol => {
    const next = sorted.slice(i + 1).find(([, [other]]) => other > address);
    return { name, address: virtual(address), type, module, size: next === undefined ? undefined : Number(next[1][0] - address) };
  });
  return {
    count: symbols.length,
    at: (index) => symbols[index] as KernelSymbol,
    byName: (name) => symbols.find((symbol) => symbol.name === name),
    allByName: (name) => symbols.filter((symbol) => symbol.name === name),
    byAddress(address) {
      const symbol = symbols.findLast((each) => each.address <= address);
      return symbol === undefined ? undefined : { symbol, offset: Number(address - symbol.address) };
    },
    neighbours: (address) => ({
      previous: symbols.findLast((each) => each.address < address),
      next: symbols.find((each) => each.address > address),
    }),
    prefix: (prefix, limit) =>
      symbols
        .map(({ name }) => name)
        .filter((name) => name.startsWith(prefix))
        .sort()
        .slice(0, limit),
    matching: (text) => symbols.filter(({ name }) => name.includes(text)),
  };
}

export interface SmallKernelParts {
  readonly memory?: SparseMemory;
  readonly types?: readonly CType[];
  readonly symbols?: SymbolSpecs;
  readonly variables?: Readonly<Record<string, CType>>;
  readonly functions?: Readonly<Record<string, CType>>;
  readonly perCpuOffsets?: readonly bigint[];
  readonly dumpLevel?: number;
  readonly notes?: readonly string[];
  readonly debugInfo?: KernelDebugInfo;
}

/** The real Kernel over these parts; what tests of expressions and commands do not touch is missing. */
export function smallKernel(parts: SmallKernelParts = {}): Kernel {
  const memory = parts.memory ?? new SparseMemory();
  const source = typeSource(parts.types ?? [], { variable: parts.variables ?? {}, function: parts.functions ?? {} });
  const arch = { name: "x86_64", pageSize: 4096, pageShift: 12, isKernelAddress: (address: bigint) => address >= 1n << 63n };
  const dump = { files: ["vmcore"], dumpLevel: parts.dumpLevel };
  return new Kernel({
    dump: dump as unknown as Kernel["dump"],
    physical: { zeroExcluded: false } as unknown as Kernel["physical"],
    memory: memory as unknown as AddressSpace,
    arch: arch as unknown as Architecture,
    vmcoreinfo: undefined,
    symbols: symbolTable(parts.symbols ?? {}),
    types: new Types(memory, [source]),
    modules: () => [],
    perCpuOffsets: () => (parts.perCpuOffsets ?? []).map((offset) => virtual(offset)),
    notes: [...(parts.notes ?? [])],
    ...(parts.debugInfo === undefined ? {} : { debugInfo: parts.debugInfo }),
  });
}
