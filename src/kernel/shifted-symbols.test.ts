import { describe, expect, it } from "vitest";
import { type VirtualAddress, virtual } from "../bytes/address.ts";
import { SortedSymbols } from "../debug-info/sorted-symbols.ts";
import { ShiftedSymbols } from "./shifted-symbols.ts";

class Listed extends SortedSymbols {
  readonly #names: readonly string[];
  constructor(symbols: readonly (readonly [bigint, string])[]) {
    super(
      BigUint64Array.from(symbols, ([address]) => address),
      undefined,
      undefined,
    );
    this.#names = symbols.map(([, name]) => name);
  }
  protected override nameAt(index: number): string {
    return this.#names[index] ?? "";
  }
  protected override typeAt(): string {
    return "T";
  }
  protected override sizeAt(): undefined {
    return undefined;
  }
  protected override *find(name: string): Iterable<number> {
    for (const [index, each] of this.#names.entries()) if (each === name) yield index;
  }
  protected override *startingWith(prefix: string): Iterable<number> {
    for (const [index, each] of this.#names.entries()) if (each.startsWith(prefix)) yield index;
  }
}

const BIAS = 0x1a000000n;
const table = new ShiftedSymbols(
  new Listed([
    [0x1000n, "per_cpu_variable"],
    [0xffffffff81000000n, "_stext"],
    [0xffffffff81000040n, "do_one"],
    [0xffffffff81000080n, "do_two"],
  ]),
  BIAS,
);

describe("ShiftedSymbols", () => {
  it("moves what lies in the kernel's half, and nothing else", () => {
    expect(table.byName("do_one")?.address).toBe(0xffffffff9b000040n);
    expect(table.byName("per_cpu_variable")?.address).toBe(0x1000n);
    expect(table.at(1)).toMatchObject({ name: "_stext", address: 0xffffffff9b000000n, size: 0x40 });
    expect(table.allByName("do_two").map(({ address }) => address)).toEqual([0xffffffff9b000080n]);
    expect([...table.matching("do_")].map(({ address }) => address)).toEqual([0xffffffff9b000040n, 0xffffffff9b000080n]);
  });

  it("finds by runtime address", () => {
    const found = table.byAddress(virtual(0xffffffff9b000044n));
    expect(found).toMatchObject({ symbol: { name: "do_one", address: 0xffffffff9b000040n }, offset: 4 });
    expect(table.byAddress(virtual(0x1008n))).toMatchObject({ symbol: { name: "per_cpu_variable", address: 0x1000n }, offset: 8 });
  });

  it("gives neighbours at runtime addresses", () => {
    const { previous, next } = table.neighbours(0xffffffff9b000040n as VirtualAddress);
    expect([previous?.address, next?.address]).toEqual([0xffffffff9b000000n, 0xffffffff9b000080n]);
  });
});
