import { describe, expect, test } from "vitest";
import { virtual } from "../bytes/address.ts";
import { VmcoreInfo } from "../dump/vmcoreinfo.ts";
import { Arm64, arm64SetupFromVmcoreinfo } from "./arm64.ts";
import { MemoryBuilder, mapPage, type TableShape } from "./testing/build-memory.ts";

const info = (lines: Record<string, string>) =>
  new VmcoreInfo(
    Object.entries({
      "SYMBOL(swapper_pg_dir)": "ffff800011000000",
      "NUMBER(kimage_voffset)": "0xffff7fffd0000000",
      PAGESIZE: "4096",
      ...lines,
    })
      .map(([key, value]) => `${key}=${value}`)
      .join("\n"),
  );

describe("arm64 set-up from VMCOREINFO", () => {
  test.each([
    ["48 bits, before 5.9 (no T1SZ)", { "NUMBER(VA_BITS)": "48" }, { bits: 48, lpa2: false }],
    ["39 bits", { "NUMBER(VA_BITS)": "39", "NUMBER(TCR_EL1_T1SZ)": "0x19" }, { bits: 39, lpa2: false }],
    [
      "52-bit kernel on a CPU without LPA2 folds a level",
      { "NUMBER(VA_BITS)": "52", "NUMBER(TCR_EL1_T1SZ)": "0x10" },
      { bits: 48, lpa2: false },
    ],
    ["LPA2", { "NUMBER(VA_BITS)": "52", "NUMBER(TCR_EL1_T1SZ)": "0xc" }, { bits: 52, lpa2: true }],
    [
      "64 KiB pages keep tables for the configured bits",
      { PAGESIZE: "65536", "NUMBER(VA_BITS)": "52", "NUMBER(TCR_EL1_T1SZ)": "0x10" },
      { bits: 52, lpa2: false },
    ],
    ["16 KiB pages with LPA2", { PAGESIZE: "16384", "NUMBER(VA_BITS)": "52", "NUMBER(TCR_EL1_T1SZ)": "0xc" }, { bits: 52, lpa2: true }],
  ])("%s", (_name, lines, { bits, lpa2 }) => {
    const { regime, root } = arm64SetupFromVmcoreinfo(info(lines), "dump");
    expect(regime).toMatchObject({ virtualBits: bits, lpa2 });
    expect(root).toBe(0x4100_0000n);
  });

  test("what is missing or senseless is named", () => {
    expect(() => arm64SetupFromVmcoreinfo(new VmcoreInfo("OSRELEASE=6.1"), "dump")).toThrow("SYMBOL(swapper_pg_dir)");
    expect(() => arm64SetupFromVmcoreinfo(info({ PAGESIZE: "8192" }), "dump")).toThrow("8192");
    expect(() => arm64SetupFromVmcoreinfo(info({ "NUMBER(TCR_EL1_T1SZ)": "0x3f" }), "dump")).toThrow("bits of virtual address");
  });
});

describe("arm64 machine", () => {
  const shape: TableShape = {
    bits: [9, 9, 9, 9],
    pageShift: 12,
    table: (address) => address | 3n,
    leaf: (address) => address | 0x403n,
    next: (entry) => entry & 0x0000_ffff_ffff_f000n,
  };

  function machine(physOffset: string, linear: bigint | undefined): Arm64 {
    const builder = new MemoryBuilder(4096, 0x41000);
    const setup = arm64SetupFromVmcoreinfo(
      info({ "NUMBER(VA_BITS)": "48", "NUMBER(TCR_EL1_T1SZ)": "0x10", "NUMBER(PHYS_OFFSET)": physOffset }),
      "dump",
    );
    expect(builder.allocate()).toBe(setup.root);
    if (linear !== undefined) mapPage(builder, setup.root, shape, setup.root + linear, setup.root);
    return new Arm64(builder.memory("aarch64"), setup);
  }

  test("the linear map is taken only where the tables prove it", () => {
    expect(machine("0x40000000", 0xfffe_ffff_c000_0000n).linearOffset).toBe(0xfffe_ffff_c000_0000n);
    // To 5.3 the linear map had the upper half: PAGE_OFFSET = −2^(VA_BITS−1).
    expect(machine("0x40000000", 0xffff_7fff_c000_0000n).linearOffset).toBe(0xffff_7fff_c000_0000n);
    expect(machine("0x40000000", undefined).linearOffset).toBeUndefined();
  });

  test("authentication codes and tags come off after bit 55", () => {
    const arm = machine("0x40000000", undefined);
    expect(arm.stripPointer(0x00ff_8000_1234_5678n)).toBe(virtual(0xffff_8000_1234_5678n));
    expect(arm.stripPointer(0x5a00_0000_1234_5678n)).toBe(virtual(0x1234_5678n));
  });
});
