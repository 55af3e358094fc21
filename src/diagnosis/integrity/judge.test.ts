import { describe, expect, it } from "vitest";
import { type VirtualAddress, virtual } from "../../bytes/address.ts";
import type { CType, FunctionType } from "../../debug-info/c-type.ts";
import type { Field } from "../../kernel/field.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { SparseMemory, smallKernel } from "../../kernel/testing/small-kernel.ts";
import type { CodeRanges } from "../../stack/code-ranges.ts";
import { isTable } from "./function-table.ts";
import { judgeCounts } from "./judge-counts.ts";
import { judgePointers } from "./judge-pointers.ts";
import { Survey } from "./survey.ts";
import type { TargetKind, Validity } from "./target-kind.ts";
import type { Targets } from "./targets.ts";

const BASE = 0xffff_8880_0001_0000n;
const TABLE = BASE + 0x1000n;
const SLAB = BASE + 0x2000n;
const WORDS = 8;

const memory = new SparseMemory();
memory.write(BASE, new Uint8Array(0x4000));
const kernel = smallKernel({ memory });
Object.assign(kernel.arch, {
  stripPointer: (address: bigint) => virtual(address),
  isKernelAddress: (address: bigint) => address >= 0xffff_8000_0000_0000n,
});

const taking = (...types: readonly CType[]): FunctionType => ({
  kind: "function",
  returns: { kind: "void" } as CType,
  parameters: types.map((type) => ({ name: undefined, type })),
  variadic: false,
});
const INT: CType = { kind: "int", name: "int", size: 4, signed: true } as unknown as CType;
const to = (name: string): CType => ({
  kind: "pointer",
  size: 8,
  target: { kind: "struct", name, size: 8, members: [] } as unknown as CType,
});

describe("a pointer that nobody else has, one bit away from what others use", () => {
  function judged(target: TargetKind, value: bigint, shared: bigint, validity: Validity) {
    const table = { kind: "pointer", size: 8, target: { kind: "struct", name: "ops", size: WORDS * 8, members: [] } };
    const field = { path: "p", offset: 0, size: 8, type: table, address: (object: VirtualAddress) => object } as unknown as Field;
    const targets = {
      valid: (_: TargetKind, other: bigint) => (other === shared ? "yes" : other === value ? validity : "no"),
      isUsual: () => false,
      objectAt: (other: bigint) => (other >= SLAB ? virtual(other) : undefined),
      offsetInSymbol: () => undefined,
    } as unknown as Targets;
    const survey = new Survey(kernel, targets);
    for (const [i, each] of [shared, shared, shared, value].entries())
      survey.pointers.push({ type: "t", field, object: virtual(BASE + BigInt(i) * 8n), value: each, target });
    return judgePointers(survey, []);
  }

  it("overlaps the table of others", () => {
    for (const validity of ["yes", "unknown"] as const)
      expect(judged("ops", TABLE ^ 0x10n, TABLE, validity)).toMatchObject([{ class: "bit-flip", expected: TABLE }]);
  });

  it("may be a table of its own behind it", () => {
    expect(judged("ops", TABLE ^ BigInt(WORDS * 8), TABLE, "yes")).toEqual([]);
  });

  it("is no second one outside of slabs", () => {
    expect(judged("user_struct", TABLE ^ 0x400n, TABLE, "yes")).toMatchObject([{ class: "bit-flip", expected: TABLE }]);
    expect(judged("user_struct", SLAB ^ 0x400n, SLAB, "yes")).toEqual([]);
    // Of these the kernel is built with several.
    expect(judged("mm_struct", TABLE ^ 0x400n, TABLE, "yes")).toEqual([]);
  });
});

describe("a counter of 0 outside of slabs", () => {
  it("is wrong where several took references", () => {
    for (const [holders, found] of [
      [0, 0],
      [1, 0],
      [2, 1],
    ] as const) {
      const survey = new Survey(kernel, {} as Targets);
      const object = virtual(BASE);
      const field = { path: "count", offset: 0, size: 4, address: () => object } as unknown as Field;
      for (let i = 0; i < holders; i++) survey.hold(object);
      survey.counts.push({ type: "nsproxy", field, object, value: 0n, why: "" });
      expect(judgeCounts(survey)).toHaveLength(found);
    }
  });
});

describe("a table of functions", () => {
  const functions = new Map<bigint, FunctionType>();
  const slots = [taking(INT), taking(to("inode"), INT), taking(to("file")), taking(INT, INT, INT)];
  const members = slots.map((type, i) => ({ name: `f${i}`, bitOffset: i * 64, type: { kind: "pointer", size: 8, target: type } }));
  for (const [i, type] of slots.entries()) functions.set(BASE + 0x100n + BigInt(i) * 16n, type);
  const struct = { kind: "struct", name: "ops", size: 32, members };
  const member = { type: { kind: "pointer", size: 8, target: struct } } as unknown as Field;
  const memo = new Map<object, unknown>();
  const own = {
    arch: kernel.arch,
    memory: kernel.memory,
    tryAddress: () => undefined,
    memo: (key: object, compute: () => unknown) => {
      if (!memo.has(key)) memo.set(key, compute());
      return memo.get(key);
    },
    types: {
      tryStruct: (name: string) => (name === "ops" ? { type: struct } : undefined),
      prototype: (name: string) => functions.get(BigInt(name)),
    },
    symbols: {
      byAddress: (at: bigint) => (functions.has(at) ? { offset: 0, symbol: { name: String(at), address: at } } : undefined),
      allByName: () => [0],
    },
  } as unknown as Kernel;
  const code = { isCode: (at: bigint) => functions.has(at) } as unknown as CodeRanges;
  for (const [i, at] of [...functions.keys()].entries()) memory.put(virtual(TABLE + BigInt(i) * 8n), at);

  it("holds functions that take what their places say", () => {
    expect(isTable(own, code, virtual(TABLE), member)).toBe("yes");
  });

  it("is none a word off, although all that it holds are functions", () => {
    expect(isTable(own, code, virtual(TABLE + 8n), member)).toBe("no");
    expect(isTable(own, code, virtual(TABLE - 8n), member)).toBe("no");
  });
});
