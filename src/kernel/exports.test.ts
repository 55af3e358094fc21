import { describe, expect, test } from "vitest";
import { type VirtualAddress, virtual } from "../bytes/address.ts";
import type { KernelSymbol, SymbolTable } from "../debug-info/symbols.ts";
import { findExports } from "./exports.ts";
import { SparseMemory } from "./testing/small-kernel.ts";

const BASE = 0xffff_8000_1000_0000n;
const NAMES = BASE + 0x8000n;

/** Composes __ksymtab and, four bytes further, __ksymtab_gpl; entries are { value, name, namespace } relative to themselves. */
function compose(tables: readonly (readonly (readonly [name: string, address: bigint])[])[], entrySize: 12 | 8): Uint8Array {
  const image = new Uint8Array(0x10000);
  const view = new DataView(image.buffer);
  let at = 0x1000;
  let name = Number(NAMES - BASE);
  for (const table of tables) {
    for (const [text, address] of table) {
      view.setInt32(at, Number(BigInt.asIntN(32, address - (BASE + BigInt(at)))), true);
      view.setInt32(at + 4, name - (at + 4), true);
      image.set(new TextEncoder().encode(`${text}\0`), name);
      name += text.length + 1;
      at += entrySize;
    }
    at += 4;
  }
  return image;
}

function kallsyms(functions: Readonly<Record<string, bigint>>): SymbolTable {
  const byName = (name: string): KernelSymbol | undefined =>
    functions[name] === undefined ? undefined : { name, address: virtual(functions[name]), type: "T", module: undefined, size: undefined };
  return { byName } as SymbolTable;
}

const TABLES = [
  [
    ["__per_cpu_offset", BASE + 0x5000n],
    ["init_task", BASE + 0x5100n],
    ["kfree", BASE + 0x200n],
    ["vfree", BASE + 0x300n],
  ],
  [
    ["init_pid_ns", BASE + 0x5200n],
    ["zap_vma_ptes", BASE + 0x400n],
  ],
] as const;

describe("findExports", () => {
  test.each([12, 8] as const)("one known function leads to all exports of both tables (%i-byte entries)", (entrySize) => {
    const image = compose(TABLES, entrySize);
    const memory = new SparseMemory().write(BASE, image);
    const found = findExports(memory, kallsyms({ kfree: BASE + 0x200n }), () => [{ address: BASE as VirtualAddress, bytes: image }]);
    expect([...found.values()].map(({ name, address, type }) => [name, address, type]).sort()).toEqual(
      TABLES.flat()
        .map(([name, address]) => [name, address, name === "kfree" ? "T" : "D"])
        .sort(),
    );
  });

  test("a value that matches by chance is no entry", () => {
    const image = compose([], 12);
    new DataView(image.buffer).setInt32(0x40, 0x200 - 0x40, true);
    const memory = new SparseMemory().write(BASE, image);
    expect(findExports(memory, kallsyms({ kfree: BASE + 0x200n }), () => [{ address: BASE as VirtualAddress, bytes: image }]).size).toBe(0);
    expect(findExports(memory, kallsyms({}), () => []).size).toBe(0);
  });
});
