import { describe, expect, it } from "vitest";
import type { PageTables, Walk } from "../arch/architecture.ts";
import { physical, virtual } from "../bytes/address.ts";
import { FaultError } from "../bytes/errors.ts";
import { LINEAR, PagedKernel } from "../linux/testing/paged-kernel.ts";
import { parseArguments } from "./arguments.ts";
import type { Session } from "./command.ts";
import { vtop } from "./vtop.ts";

const PAGE = {
  page: { flags: [0, "u64"], mapping: [24, "u64"], index: [32, "u64"], _refcount: [52, "counter"], $size: [64, ""] },
  counter: { counter: [0, "s32"] },
} as const;

function tables(walk: Walk): PageTables {
  return {
    translate: () => {
      throw new FaultError(0n, "virtual", "unmapped");
    },
    walk: () => walk,
  };
}

function build(walk: Walk, machine = "x86_64"): Session {
  const fake = new PagedKernel(PAGE, { pageflags: { PG_locked: 0n, PG_lru: 5n, PG_reserved: 12n, __NR_PAGEFLAGS: 13n } });
  fake.symbol("swapper_pg_dir", 0xffff_ffff_8200_0000n);
  Object.defineProperty(fake, "arch", {
    value: {
      ...fake.arch,
      name: machine,
      kernelTables: tables(walk),
      entryFlags: () => ["PRESENT", "RW"],
      isKernelAddress: (address: bigint) => address >= 1n << 63n,
    },
  });
  Object.defineProperty(fake, "symbols", { value: { byName: () => undefined } });
  fake.memory.put64(fake.page(0x21), 0x1020n);
  fake.memory.put64(fake.page(0x21) + 32n, 0x5n);
  fake.memory.put32(fake.page(0x21) + 52n, 2);
  return { kernel: fake.kernel, context: virtual(0n) } as unknown as Session;
}

function text(line: string, session: Session): string[] {
  return [...vtop.text(vtop.run(session, parseArguments(vtop.spec, line.split(" "), line)), { radix: 10 })];
}

const MAPPED: Walk = {
  steps: [
    { level: "PGD", entryAddress: physical(0x2000888n), entry: 0x7801067n },
    { level: "PUD", entryAddress: physical(0x7801008n), entry: 0x7802067n },
    { level: "PMD", entryAddress: physical(0x7802000n), entry: 0x7803067n },
    { level: "PTE", entryAddress: physical(0x7803108n), entry: 0x8000000000021163n },
  ],
  physical: physical(0x21234n),
  pageSize: 4096,
  reason: undefined,
};

describe("vtop", () => {
  it("shows the walk, the entry and the page as crash does", () => {
    expect(text((LINEAR + 0x21234n).toString(16), build(MAPPED))).toEqual([
      "VIRTUAL           PHYSICAL",
      "ffff888000021234  21234",
      "",
      "PGD DIRECTORY: ffffffff82000000",
      "PAGE DIRECTORY: 7801067",
      "   PUD: 7801008 => 7802067",
      "   PMD: 7802000 => 7803067",
      "   PTE: 7803108 => 8000000000021163",
      "  PAGE: 21000",
      "",
      "      PTE         PHYSICAL  FLAGS",
      "8000000000021163    21000   (PRESENT|RW)",
      "",
      "      PAGE       PHYSICAL      MAPPING       INDEX CNT FLAGS",
      "ffffea0000000840    21000                0        5  2 1020 lru,reserved",
    ]);
  });

  it("names large pages", () => {
    const large: Walk = { ...MAPPED, steps: MAPPED.steps.slice(0, 3), pageSize: 2 << 20 };
    expect(text("ffff888000021234", build(large))).toContain("  PAGE: 0  (2MB)");
  });

  it("says where a walk ended", () => {
    const ended: Walk = { steps: MAPPED.steps.slice(0, 2), physical: undefined, pageSize: undefined, reason: "no PUD entry" };
    expect(text("ffff888000021234", build(ended))).toEqual([
      "VIRTUAL           PHYSICAL",
      "ffff888000021234  (not mapped)  [no PUD entry]",
      "",
      "PGD DIRECTORY: ffffffff82000000",
      "PAGE DIRECTORY: 7801067",
      "   PUD: 7801008 => 7802067",
      "",
    ]);
  });

  it("shows arm64 entries by their virtual addresses", () => {
    const lines = text("ffff888000021234", build(MAPPED, "aarch64"));
    expect(lines.slice(3, 6)).toEqual([
      "PAGE DIRECTORY: ffffffff82000000",
      "   PGD: ffffffff82000888 => 7801067",
      `   PUD: ${(LINEAR + 0x7801008n).toString(16)} => 7802067`,
    ]);
  });

  it("has no struct page for device memory", () => {
    const device: Walk = { ...MAPPED, physical: physical(0xfed0_0000n) };
    expect(text("ffff888000021234", build(device)).join("\n")).not.toContain("MAPPING");
  });

  it("refuses what makes no sense", () => {
    const session = build(MAPPED);
    expect(() => text("", session)).toThrow(/hexadecimal number|usage/);
    expect(() => text("-u -k 1000", session)).toThrow(/exclude/);
    expect(() => text("xyz", session)).toThrow(/no hexadecimal number/);
  });
});
