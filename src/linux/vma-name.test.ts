import { describe, expect, test } from "vitest";
import { virtual } from "../bytes/address.ts";
import { FakeKernel } from "./testing/fake-kernel.ts";
import type { Vma } from "./vma.ts";
import { vmaFlagNames } from "./vma-flags.ts";
import { vmaName } from "./vma-name.ts";

const BASE = 0xffff_8880_0000_0000n;
const MM = BASE;
const SPECIAL = 0xffff_ffff_8100_0000n;

const TABLE = {
  mm_struct: { brk: [0, "u64"], start_brk: [8, "u64"], start_stack: [16, "u64"] },
  vm_area_struct: { vm_ops: [0, "u64"], vm_private_data: [8, "u64"], shared: [16, "bytes16"], anon_name: [16, "u64"] },
  vm_operations_struct: { close: [0, "u64"], name: [8, "u64"] },
  vm_special_mapping: { name: [0, "u64"] },
  anon_vma_name: { kref: [0, "u32"], name: [4, "bytes0"] },
} as const;

function kernel(): FakeKernel {
  const fake = new FakeKernel(TABLE);
  fake.memory.write(BASE, new Uint8Array(0x1000));
  fake.memory.put64(MM, 0x3000n);
  fake.memory.put64(MM + 8n, 0x2000n);
  fake.memory.put64(MM + 16n, 0x7ff0n);
  Object.defineProperty(fake, "symbols", {
    value: { byAddress: (at: bigint) => ({ symbol: { name: at === SPECIAL ? "special_mapping_name" : "other_name" }, offset: 0 }) },
  });
  return fake;
}

const vma = (start: bigint, end: bigint): Vma => ({
  address: virtual(BASE + 0x100n),
  start: virtual(start),
  end: virtual(end),
  flags: 0n,
  file: virtual(0n),
  pageOffset: 0n,
});
const nameOf = (fake: FakeKernel, start: bigint, end: bigint) => vmaName(fake.kernel, virtual(MM), vma(start, end));

describe("vmaName", () => {
  test("heap and stack by what they hold", () => {
    const fake = kernel();
    expect(nameOf(fake, 0x2000n, 0x3000n)).toBe("[heap]");
    expect(nameOf(fake, 0x7000n, 0x8000n)).toBe("[stack]");
    expect(nameOf(fake, 0x5000n, 0x6000n)).toBeUndefined();
  });

  test("what a special mapping calls itself; other drivers' functions are not believed", () => {
    const fake = kernel();
    fake.memory.put64(BASE + 0x100n, BASE + 0x200n);
    fake.memory.put64(BASE + 0x108n, BASE + 0x300n);
    fake.memory.put64(BASE + 0x300n, BASE + 0x400n);
    fake.memory.putText(BASE + 0x400n, "[vdso]");
    fake.memory.put64(BASE + 0x208n, SPECIAL);
    expect(nameOf(fake, 0x5000n, 0x6000n)).toBe("[vdso]");
    fake.memory.put64(BASE + 0x208n, SPECIAL + 0x100n);
    expect(nameOf(fake, 0x5000n, 0x6000n)).toBeUndefined();
  });

  test("names given by prctl", () => {
    const fake = kernel();
    fake.memory.put64(BASE + 0x110n, BASE + 0x500n);
    fake.memory.putText(BASE + 0x504n, "arena");
    expect(nameOf(fake, 0x5000n, 0x6000n)).toBe("[anon:arena]");
  });

  test("a damaged mapping has no name", () => {
    const fake = kernel();
    fake.memory.put64(BASE + 0x100n, 0x4141_4141_4141_4141n);
    expect(nameOf(fake, 0x2000n, 0x3000n)).toBeUndefined();
  });
});

describe("vmaFlagNames", () => {
  test("names of the kernel's own table, its order and what has none", () => {
    const fake = kernel();
    fake.symbol("vmaflag_names", BASE + 0x600n);
    for (const [i, [mask, name]] of (
      [
        [2n, "write"],
        [1n, "read"],
        [0x800_0000n, "softdirty"],
      ] as const
    ).entries()) {
      fake.memory.put64(BASE + 0x600n + BigInt(i * 16), mask);
      fake.memory.put64(BASE + 0x608n + BigInt(i * 16), BASE + 0x700n + BigInt(i * 16));
      fake.memory.putText(BASE + 0x700n + BigInt(i * 16), name);
    }
    expect(vmaFlagNames(fake.kernel, 0x800_0003n | (1n << 40n))).toEqual(["READ", "WRITE", "SOFTDIRTY", "0x10000000000"]);
    expect(vmaFlagNames(fake.kernel, 0n)).toEqual([]);
  });

  test("without it the names that every kernel has", () => {
    expect(vmaFlagNames(kernel().kernel, 0x10_0173n)).toEqual("READ WRITE MAYREAD MAYWRITE MAYEXEC GROWSDOWN ACCOUNT".split(" "));
  });
});
