/**
 * A made-up kernel for tests: sparse memory that is written word by word, structures laid out from a short table, symbols by name.
 *
 *   const kernel = new FakeKernel({ list_owner: { id: [0, "u32"], link: [8, "bytes16"] } });
 *   kernel.memory.put64(0xffff…00n, 1n);
 */
import { add, type VirtualAddress, virtual } from "../../bytes/address.ts";
import { FaultError, LookupError } from "../../bytes/errors.ts";
import type { CType, EnumType, Member, StructType, TypeKey, TypeSource } from "../../debug-info/c-type.ts";
import type { Memory } from "../../kernel/address-space.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { Types } from "../../kernel/types.ts";

const PAGE = 4096n;

/** Memory that exists where it was written, in whole pages. */
export class FakeMemory implements Memory {
  readonly #pages = new Map<bigint, Uint8Array>();

  write(address: bigint, bytes: Uint8Array): void {
    for (let i = 0; i < bytes.length; i++) {
      const at = BigInt.asUintN(64, address + BigInt(i));
      let page = this.#pages.get(at / PAGE);
      if (page === undefined) {
        page = new Uint8Array(4096);
        this.#pages.set(at / PAGE, page);
      }
      page[Number(at % PAGE)] = bytes[i] as number;
    }
  }

  put64(address: bigint, value: bigint): void {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, BigInt.asUintN(64, value), true);
    this.write(address, bytes);
  }

  put32(address: bigint, value: number): void {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setUint32(0, value >>> 0, true);
    this.write(address, bytes);
  }

  put16(address: bigint, value: number): void {
    this.write(address, Uint8Array.of(value & 0xff, value >> 8));
  }

  put8(address: bigint, value: number): void {
    this.write(address, Uint8Array.of(value));
  }

  putText(address: bigint, text: string): void {
    this.write(address, new TextEncoder().encode(text));
  }

  /** Takes a page away. */
  drop(address: bigint): void {
    this.#pages.delete(address / PAGE);
  }

  bytes(address: VirtualAddress, length: number): Uint8Array {
    const out = new Uint8Array(length);
    for (let i = 0; i < length; i++) {
      const at = BigInt.asUintN(64, address + BigInt(i));
      const page = this.#pages.get(at / PAGE);
      if (page === undefined) throw new FaultError(at, "virtual", "unmapped");
      out[i] = page[Number(at % PAGE)] as number;
    }
    return out;
  }

  #view(address: VirtualAddress, length: number): DataView {
    return new DataView(this.bytes(address, length).buffer);
  }

  u8(address: VirtualAddress): number {
    return this.#view(address, 1).getUint8(0);
  }
  u16(address: VirtualAddress): number {
    return this.#view(address, 2).getUint16(0, true);
  }
  u32(address: VirtualAddress): number {
    return this.#view(address, 4).getUint32(0, true);
  }
  u64(address: VirtualAddress): bigint {
    return this.#view(address, 8).getBigUint64(0, true);
  }
  s8(address: VirtualAddress): number {
    return this.#view(address, 1).getInt8(0);
  }
  s16(address: VirtualAddress): number {
    return this.#view(address, 2).getInt16(0, true);
  }
  s32(address: VirtualAddress): number {
    return this.#view(address, 4).getInt32(0, true);
  }
  s64(address: VirtualAddress): bigint {
    return this.#view(address, 8).getBigInt64(0, true);
  }
  cString(address: VirtualAddress, max = 4096): string {
    let text = "";
    for (let i = 0; i < max; i++) {
      const byte = this.u8(add(address, i));
      if (byte === 0) break;
      text += String.fromCharCode(byte);
    }
    return text;
  }
  tryU32(address: VirtualAddress): number | undefined {
    return attempt(() => this.u32(address));
  }
  tryU64(address: VirtualAddress): bigint | undefined {
    return attempt(() => this.u64(address));
  }
  tryBytes(address: VirtualAddress, length: number): Uint8Array | undefined {
    return attempt(() => this.bytes(address, length));
  }
  translate(): never {
    throw new Error("no physical memory here");
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

/**
 * "u32", "s64", "bytes16" (16 bytes), "bits5:3" (5 bits from bit 3 on), "cputime_t=long unsigned int" (a typedef of an 8-byte integer),
 * the name of another structure of the table, or "skb_frag_t[17]", "u64[4]": so many of them.
 */
export type MemberSpec = readonly [offset: number, type: string];
export type StructTable = Readonly<Record<string, Readonly<Record<string, MemberSpec>> & { readonly $size?: MemberSpec }>>;

/** Types from a table; `$size: [bytes, ""]` fixes a structure's size, otherwise it ends behind its last member. */
export function fakeTypes(memory: Memory, table: StructTable, constants: Readonly<Record<string, number>> = {}): Types {
  const made = new Map<string, StructType>();
  const struct = (name: string): StructType | undefined => {
    const known = made.get(name);
    const spec = table[name];
    if (known !== undefined || spec === undefined) return known;
    const members = Object.entries(spec)
      .filter(([member]) => member !== "$size")
      .map(([member, [offset, type]]): Member => {
        const bits = /^bits(\d+):(\d+)$/.exec(type);
        if (bits !== null) return { name: member, type: integer("u8"), bitOffset: offset * 8 + Number(bits[2]), bitSize: Number(bits[1]) };
        const many = /^(\w+)\[(\d+)\]$/.exec(type);
        const element = many === null ? undefined : (struct(many[1] as string) ?? integer(many[1] as string));
        if (many !== null && element !== undefined)
          return { name: member, type: { kind: "array", element, length: Number(many[2]) }, bitOffset: offset * 8, bitSize: undefined };
        return { name: member, type: struct(type) ?? integer(type), bitOffset: offset * 8, bitSize: undefined };
      });
    const end = Math.max(0, ...members.map((member) => Math.floor(member.bitOffset / 8) + sizeOfMember(member.type)));
    const type: StructType = { kind: "struct", name, size: spec.$size?.[0] ?? end, members };
    made.set(name, type);
    return type;
  };
  const source: TypeSource = {
    owner: "vmlinux",
    find: (key: TypeKey, name: string): CType | undefined => (key === "struct" ? struct(name) : undefined),
    findAll: () => [],
    constant: (name) =>
      constants[name] === undefined ? undefined : { value: BigInt(constants[name]), type: undefined as unknown as EnumType },
    names: () => [],
    structs: () => [],
  };
  return new Types(memory, [source]);
}

function integer(spec: string): CType {
  const array = /^bytes(\d+)$/.exec(spec);
  if (array !== null) return { kind: "array", element: integer("u8"), length: Number(array[1]) };
  const named = /^(\w+)=(.+)$/.exec(spec);
  if (named !== null) {
    const target: CType = { kind: "int", name: named[2] as string, size: 8, signed: false, encoding: "int" };
    return { kind: "typedef", name: named[1] as string, target };
  }
  const plain = /^([us])(8|16|32|64)$/.exec(spec);
  if (plain === null) throw new Error(`no such type: ${spec}`);
  return { kind: "int", name: spec, size: Number(plain[2]) / 8, signed: plain[1] === "s", encoding: "int" };
}

function sizeOfMember(type: CType): number {
  if (type.kind === "array") return type.length * sizeOfMember(type.element);
  if (type.kind === "typedef") return sizeOfMember(type.target);
  return "size" in type ? type.size : 0;
}

interface FakeSymbols {
  byName(name: string): { readonly address: VirtualAddress; readonly size?: number | undefined } | undefined;
  allByName?(name: string): readonly { readonly address: VirtualAddress }[];
  byAddress?(address: VirtualAddress): unknown;
}

/** What the linux floor asks of a kernel, with addresses and per-CPU areas to be set by the test. */
export class FakeKernel {
  readonly memory = new FakeMemory();
  readonly types: Types;
  readonly addresses = new Map<string, VirtualAddress>();
  readonly symbols: FakeSymbols = {
    byName: (name) => this.#symbol(name)[0],
    allByName: (name) => this.#symbol(name),
    byAddress: () => undefined,
  };
  perCpuOffsets: (VirtualAddress | undefined)[] = [virtual(0n)];
  readonly arch = { name: "x86_64", pageSize: 4096, pageShift: 12, isKernelAddress: (address: bigint) => address >= 1n << 63n };
  readonly dump = {
    vmcoreinfo: undefined as string | undefined,
    timestamp: undefined as number | undefined,
    ranges: [],
    utsname: undefined,
  };
  readonly vmcoreinfo = undefined;
  readonly notes: string[] = [];
  readonly #memo = new Map<object, unknown>();

  constructor(table: StructTable, constants: Readonly<Record<string, number>> = {}) {
    this.types = fakeTypes(this.memory, table, constants);
  }

  tryAddress(name: string): VirtualAddress | undefined {
    return this.addresses.get(name);
  }

  address(name: string): VirtualAddress {
    const address = this.addresses.get(name);
    if (address === undefined) throw new LookupError(`no symbol named "${name}" in this dump`);
    return address;
  }

  #symbol(name: string): readonly { readonly address: VirtualAddress }[] {
    const address = this.addresses.get(name);
    return address === undefined ? [] : [{ address }];
  }

  symbol(name: string, address: bigint): void {
    this.addresses.set(name, virtual(address));
  }

  symbolize(): string | undefined {
    return undefined;
  }

  perCpuAddress(address: VirtualAddress, cpu: number): VirtualAddress {
    return add(address, this.perCpuOffsets[cpu] ?? 0n);
  }

  memo<T>(key: object, compute: () => T): T {
    if (!this.#memo.has(key)) this.#memo.set(key, compute());
    return this.#memo.get(key) as T;
  }

  note(text: string): void {
    this.notes.push(text);
  }

  /** As the type that the code under test asks for; only what stands above works. */
  get kernel(): Kernel {
    return this as unknown as Kernel;
  }
}
