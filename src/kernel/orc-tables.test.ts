import { describe, expect, it } from "vitest";
import { virtual } from "../bytes/address.ts";
import type { OrcEntry } from "../debug-info/orc.ts";
import { buildOrc } from "../debug-info/testing/build-orc.ts";
import { FakeKernel } from "../linux/testing/fake-kernel.ts";
import { OrcTables } from "./orc-tables.ts";

const TEXT = 0xffff_ffff_8100_0000n;
const MODULE_TEXT = 0xffff_ffff_c000_0000n;
const MODULE = virtual(0xffff_8880_0001_0000n);

const rule = (spOffset: number): OrcEntry => ({ spReg: "sp", spOffset, bpReg: "undefined", bpOffset: 0, type: "call", signal: false });

function build() {
  const kernel = new FakeKernel({
    module: { arch: [0, "mod_arch_specific"] },
    mod_arch_specific: { num_orcs: [0, "u32"], orc_unwind_ip: [8, "u64"], orc_unwind: [16, "u64"] },
  });
  const own = buildOrc(
    [
      [TEXT, rule(8)],
      [TEXT + 0x10n, rule(16)],
      [TEXT + 0x20n, rule(24)],
    ],
    0xffff_ffff_8200_0000n,
    3,
  );
  kernel.memory.write(0xffff_ffff_8200_0000n, own.image);
  kernel.symbol("__start_orc_unwind_ip", own.location.ip);
  kernel.symbol("__stop_orc_unwind_ip", own.location.entries);
  kernel.symbol("__start_orc_unwind", own.location.entries);
  kernel.symbol("_end", TEXT + 0x1000n);
  const other = buildOrc(
    [
      [MODULE_TEXT, rule(32)],
      [MODULE_TEXT + 8n, rule(40)],
    ],
    0xffff_ffff_c010_0000n,
    3,
  );
  kernel.memory.write(0xffff_ffff_c010_0000n, other.image);
  kernel.memory.put32(MODULE, 2);
  kernel.memory.put64(MODULE + 8n, other.location.ip);
  kernel.memory.put64(MODULE + 16n, other.location.entries);
  const regions = [
    { kind: "text", start: virtual(MODULE_TEXT), size: 4096 },
    { kind: "data", start: virtual(MODULE_TEXT + 0x1000n), size: 4096 },
  ];
  Object.assign(kernel, { modules: [{ name: "m", address: MODULE, regions }] });
  return { kernel, tables: new OrcTables(kernel.kernel) };
}

describe("the ORC tables of a dump", () => {
  it("answer for the kernel and its modules, each within its own text", () => {
    const { tables } = build();
    const offsets = [TEXT, TEXT + 0xfn, TEXT + 0x10n, TEXT + 0xfffn, MODULE_TEXT + 7n, MODULE_TEXT + 0x900n];
    expect(offsets.map((pc) => tables.find(virtual(pc))?.spOffset)).toEqual([8, 8, 16, 24, 32, 40]);
    expect([TEXT - 1n, TEXT + 0x1000n, MODULE_TEXT + 0x1000n, 0n].map((pc) => tables.find(virtual(pc)))).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
    expect(tables.present).toBe(true);
    expect(tables.count).toBe(5);
    expect(tables.problems).toEqual([]);
  });

  it("are absent without the symbols, and say what is wrong when they cannot be read", () => {
    const empty = new FakeKernel({});
    Object.assign(empty, { modules: [] });
    expect(new OrcTables(empty.kernel).present).toBe(false);
    const { kernel } = build();
    kernel.memory.drop(0xffff_ffff_8200_0000n);
    const tables = new OrcTables(kernel.kernel);
    expect(tables.find(virtual(TEXT))).toBeUndefined();
    expect(tables.problems).toEqual([expect.stringContaining("the kernel's ORC table cannot be used")]);
    expect(kernel.notes).toEqual(tables.problems);
  });
});
