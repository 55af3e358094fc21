import { describe, expect, test } from "vitest";
import { virtual } from "../bytes/address.ts";
import { VmcoreInfo } from "../dump/vmcoreinfo.ts";
import { MemoryBuilder, mapPage, type TableShape } from "./testing/build-memory.ts";
import { X86_64, x86SetupFromRegisters, x86SetupFromVmcoreinfo } from "./x86-64.ts";

const TEXT =
  "SYMBOL(swapper_pg_dir)=ffffffff82610000\nNUMBER(phys_base)=-33554432\nKERNELOFFSET=1000000\nNUMBER(pgtable_l5_enabled)=1\nNUMBER(sme_mask)=140737488355328\n";

describe("x86-64 set-up", () => {
  test("from VMCOREINFO", () => {
    expect(x86SetupFromVmcoreinfo(new VmcoreInfo(TEXT), "dump", undefined)).toEqual({
      root: 0x61_0000n,
      fiveLevels: true,
      encryptionMask: 1n << 47n,
      kaslrOffset: 0x100_0000n,
    });
    const older = new VmcoreInfo("SYMBOL(init_level4_pgt)=ffffffff81c06000\n");
    expect(x86SetupFromVmcoreinfo(older, "dump", 0n)).toMatchObject({ root: 0x1c0_6000n, fiveLevels: false, kaslrOffset: 0n });
    expect(() => x86SetupFromVmcoreinfo(older, "dump", undefined)).toThrow("phys_base");
    expect(() => x86SetupFromVmcoreinfo(new VmcoreInfo(""), "dump", 0n)).toThrow("swapper_pg_dir");
  });

  test("from control registers: the PCID goes, and with isolation the kernel's half of the pair is taken", () => {
    expect(x86SetupFromRegisters(0x8000_0000_0123_5006n, 0x1020n, true)).toMatchObject({ root: 0x123_4000n, fiveLevels: true });
    expect(x86SetupFromRegisters(0x123_5006n, 0x20n, false)).toMatchObject({ root: 0x123_5000n, fiveLevels: false });
  });
});

describe("x86-64 linear map", () => {
  const shape: TableShape = {
    bits: [9, 9, 9, 9],
    pageShift: 12,
    table: (address) => address | 0x67n,
    leaf: (address) => address | 0x63n,
    next: (entry) => entry & 0x000f_ffff_ffff_f000n,
  };

  function machine(base: bigint | undefined): X86_64 {
    const builder = new MemoryBuilder();
    const root = builder.allocate();
    const setup = { ...x86SetupFromRegisters(root, 0n, false) };
    if (base !== undefined) mapPage(builder, setup.root, shape, base + root, root);
    return new X86_64(builder.memory(), setup);
  }

  test("page_offset_base first, else the documented bases, proved by the tables", () => {
    const moved = machine(0xffff_a0d2_c000_0000n);
    moved.pageOffsetBase = () => 0xffff_a0d2_c000_0000n;
    expect(moved.linearOffset).toBe(0xffff_a0d2_c000_0000n);
    const lying = machine(0xffff_8880_0000_0000n);
    lying.pageOffsetBase = () => 0xffff_1234_0000_0000n;
    expect(lying.linearOffset).toBe(0xffff_8880_0000_0000n);
    expect(machine(undefined).linearOffset).toBeUndefined();
    expect(machine(undefined).toLinear(virtual(0x1000n) as never)).toBeUndefined();
  });
});
