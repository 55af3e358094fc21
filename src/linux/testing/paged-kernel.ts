/**
 * A made-up kernel with struct pages for tests: a linear map at LINEAR, page structures of 64 bytes at VMEMMAP, 256 frames, 4 KiB pages.
 *
 *   frame n    LINEAR + n × 4096        its struct page    VMEMMAP + n × 64
 */
import { type PhysicalAddress, type VirtualAddress, virtual } from "../../bytes/address.ts";
import type { CType, EnumType, TypeKey, TypeSource } from "../../debug-info/c-type.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { Types } from "../../kernel/types.ts";
import { FakeKernel, fakeTypes, type StructTable } from "./fake-kernel.ts";

export const LINEAR = 0xffff_8880_0000_0000n;
export const VMEMMAP = 0xffff_ea00_0000_0000n;
export const FRAMES = 256;

/** Enums by name: constant → value. */
export type EnumTable = Readonly<Record<string, Readonly<Record<string, bigint>>>>;

export class PagedKernel extends FakeKernel {
  readonly vmcoreinfoValues = new Map<string, bigint>();

  constructor(structs: StructTable, enums: EnumTable = {}) {
    super(structs);
    const values = this.vmcoreinfoValues;
    const shape = {
      types: new Types(this.memory, [typeSource(fakeTypes(this.memory, structs), enums)]),
      arch: {
        ...this.arch,
        linearOffset: LINEAR,
        stripPointer: (address: bigint) => virtual(address),
        toLinear: (address: PhysicalAddress): VirtualAddress => virtual(address + LINEAR),
      },
      dump: { ...this.dump, maxPfn: FRAMES, pageSize: 4096 },
      vmcoreinfo: {
        symbol: (name: string) => values.get(`SYMBOL(${name})`),
        number: (name: string) => values.get(`NUMBER(${name})`),
        size: () => undefined,
        offset: () => undefined,
        length: () => undefined,
      },
    };
    for (const [name, value] of Object.entries(shape)) Object.defineProperty(this, name, { value });
    values.set("SYMBOL(vmemmap)", VMEMMAP);
    for (let frame = 0; frame < FRAMES; frame++) this.memory.write(this.page(frame), new Uint8Array(64));
  }

  /** struct page of a frame. */
  page(frame: number): bigint {
    return VMEMMAP + BigInt(frame) * 64n;
  }

  /** An address in a frame. */
  at(frame: number, offset = 0): VirtualAddress {
    return virtual(LINEAR + BigInt(frame) * 4096n + BigInt(offset));
  }

  override get kernel(): Kernel {
    return this as unknown as Kernel;
  }
}

function typeSource(types: Types, enums: EnumTable): TypeSource {
  const base = types.sources[0] as TypeSource;
  const made = new Map<string, EnumType>();
  for (const [name, constants] of Object.entries(enums)) {
    const enumerators = Object.entries(constants).map(([constant, value]) => ({ name: constant, value }));
    made.set(name, { kind: "enum", name, size: 4, signed: false, enumerators });
  }
  return {
    ...base,
    find: (key: TypeKey, name: string): CType | undefined => (key === "enum" ? made.get(name) : base.find(key, name)),
    constant: (name) => {
      for (const type of made.values()) {
        const found = type.enumerators.find((each) => each.name === name);
        if (found !== undefined) return { value: found.value, type };
      }
      return undefined;
    },
  };
}
