import { expect, it } from "vitest";
import { depotStack } from "./stack-depot.ts";
import { FakeKernel } from "./testing/fake-kernel.ts";

const POOLS = 0xffff_ffff_8300_0000n;
const POOL = 0xffff_8880_0010_0000n;
const STACK = [0xffff_ffff_8100_1000n, 0xffff_ffff_8100_2000n];

const FORMS = {
  "slabs (6.1)": {
    symbol: "stack_slabs",
    record: { next: [0, "u64"], hash: [8, "u32"], size: [12, "u32"], handle: [16, "u32"], entries: [24, "bytes0"] },
    parts: { handle: [0, "u32"], slabindex: [0, "bits16:0"], offset: [2, "bits10:0"], valid: [3, "bits1:2"] },
    handle: (pool: number, offset: number) => pool | (offset << 16) | (1 << 26),
  },
  "pools (6.3)": {
    symbol: "stack_pools",
    record: { next: [0, "u64"], hash: [8, "u32"], size: [12, "u32"], handle: [16, "u32"], entries: [24, "bytes0"] },
    parts: { handle: [0, "u32"], pool_index: [0, "bits16:0"], offset: [2, "bits10:0"], valid: [3, "bits1:2"] },
    handle: (pool: number, offset: number) => pool | (offset << 16) | (1 << 26),
  },
  "pools counted from 1 (6.9)": {
    symbol: "stack_pools",
    record: {
      hash_list: [0, "bytes16"],
      hash: [16, "u32"],
      size: [20, "u32"],
      handle: [24, "u32"],
      count: [28, "u32"],
      entries: [32, "bytes0"],
    },
    parts: { handle: [0, "u32"], pool_index_plus_1: [0, "bits17:0"], offset: [2, "bits10:1"], extra: [3, "bits5:3"] },
    handle: (pool: number, offset: number) => (pool + 1) | (offset << 17) | (21 << 27),
  },
} as const;
type Form = keyof typeof FORMS;
const forms = Object.keys(FORMS) as Form[];

/** A stack at byte 0x40 of pool 3. */
function build(form: Form): { kernel: FakeKernel; handle: number; record: bigint; size: bigint } {
  const { symbol, record, parts, handle } = FORMS[form];
  const kernel = new FakeKernel({ stack_record: record, handle_parts: parts } as never);
  kernel.symbol(symbol, POOLS);
  kernel.memory.put64(POOLS, 0n);
  kernel.memory.put64(POOLS + 24n, POOL);
  const at = POOL + 0x40n;
  const made = handle(3, 4) >>> 0;
  kernel.memory.put32(at + BigInt(record.size[0]), STACK.length);
  // Users' own bits are not in the record.
  kernel.memory.put32(at + BigInt(record.handle[0]), made & 0x07ffffff);
  for (const [i, address] of STACK.entries()) kernel.memory.put64(at + BigInt(record.entries[0] + i * 8), address);
  return { kernel, handle: made, record: at, size: at + BigInt(record.size[0]) };
}

it.each(forms)("finds the trace behind a handle: %s", (form) => {
  const { kernel, handle } = build(form);
  expect(depotStack(kernel.kernel, handle)).toEqual(STACK);
});

it("the number of pools may be set at boot: then their array is behind a pointer", () => {
  const { kernel, handle } = build("pools counted from 1 (6.9)");
  const array = 0xffff_8880_0020_0000n;
  kernel.memory.put64(array + 24n, POOL);
  kernel.memory.put64(POOLS, array);
  kernel.memory.put64(POOLS + 24n, 0n);
  kernel.symbol("stack_max_pools", POOLS + 0x100n);
  expect(depotStack(kernel.kernel, handle)).toEqual(STACK);
});

it("says what is wrong with a handle or a record", () => {
  const wrong = (change: (made: ReturnType<typeof build>) => number | undefined) => {
    const made = build("pools counted from 1 (6.9)");
    return depotStack(made.kernel.kernel, change(made) ?? made.handle);
  };
  expect(wrong(() => 0)).toBe("no stack trace was stored");
  expect(wrong(() => 2 | (4 << 17))).toContain("pool 1");
  expect(wrong(({ kernel, size }) => void kernel.memory.put32(size, 100_000))).toContain("100000 entries");
  expect(wrong(({ kernel, size }) => void kernel.memory.put32(size + 4n, 7))).toContain("overwritten");
  expect(wrong(({ kernel, record }) => void kernel.memory.drop(record))).toContain("cannot be read");
});

it("says when the kernel has no depot", () => {
  expect(depotStack(new FakeKernel({}).kernel, 5)).toContain("no stack depot");
});
