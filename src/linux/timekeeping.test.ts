import { describe, expect, test } from "vitest";
import { FakeKernel, type StructTable } from "./testing/fake-kernel.ts";
import { logStampToDate, machineTime, uptimeOfJiffies } from "./timekeeping.ts";

const AT = 0xffff_ffff_8200_0000n;
const SOURCE = 0xffff_ffff_8210_0000n;
const TIMEKEEPER: StructTable = {
  tk_read_base: {
    clock: [0, "u64"],
    mask: [8, "u64"],
    cycle_last: [16, "u64"],
    mult: [24, "u32"],
    shift: [28, "u32"],
    xtime_nsec: [32, "u64"],
  },
  timespec64: { tv_sec: [0, "s64"], tv_nsec: [8, "s64"] },
  timekeeper: {
    tkr_mono: [0, "tk_read_base"],
    tkr_raw: [56, "tk_read_base"],
    xtime_sec: [112, "u64"],
    wall_to_monotonic: [128, "timespec64"],
    offs_boot: [152, "s64"],
  },
  clocksource: { mask: [8, "u64"], name: [24, "u64"] },
};

/** 2026-11-20 10:22:17.25, 100.5 s after boot of which 40 s were slept. */
function write(fake: FakeKernel, at: bigint): void {
  const { memory } = fake;
  memory.write(at, new Uint8Array(304));
  for (const base of [at, at + 56n]) {
    memory.put64(base, SOURCE);
    memory.put64(base + 8n, (1n << 56n) - 1n);
    memory.put32(base + 28n, 24);
  }
  memory.put64(at + 32n, 250_000_000n << 24n);
  memory.put64(at + 112n, 1_795_170_137n);
  memory.put64(at + 128n, -1_795_170_077n);
  memory.put64(at + 136n, 250_000_000n);
  memory.put64(at + 152n, 40_000_000_000n);
  memory.put64(SOURCE + 8n, (1n << 56n) - 1n);
  memory.put64(SOURCE + 24n, SOURCE + 0x100n);
  memory.putText(SOURCE + 0x100n, "arch_sys_counter\0");
}

const EXPECTED = {
  monotonic: 60_500_000_000n,
  uptime: 100_500_000_000n,
  realtime: 1_795_170_137_250_000_000n,
  uptimeSource: "timekeeper",
  dateSource: "timekeeper",
};

describe("machineTime", () => {
  test("tk_core: a sequence counter, then the timekeeper at the next multiple of 8", () => {
    const fake = new FakeKernel({ ...TIMEKEEPER, seqcount_raw_spinlock: { sequence: [0, "u32"] } });
    fake.symbol("tk_core", AT);
    write(fake, AT + 8n);
    expect(machineTime(fake.kernel)).toEqual(EXPECTED);
  });

  test("timekeeper_data (6.17+): struct tk_data says where", () => {
    const fake = new FakeKernel({ ...TIMEKEEPER, tk_data: { seq: [0, "u32"], timekeeper: [16, "timekeeper"] } });
    fake.symbol("timekeeper_data", AT);
    fake.symbol("tk_core", AT + 0x1000n);
    write(fake, AT + 16n);
    expect(machineTime(fake.kernel)).toEqual(EXPECTED);
  });

  test("timekeeper (3.10): what tkr_mono holds now stood in it, and ktime_t was a union", () => {
    const fake = new FakeKernel({
      timespec: { tv_sec: [0, "s64"], tv_nsec: [8, "s64"] },
      ktime: { tv64: [0, "s64"] },
      timekeeper: {
        clock: [0, "u64"],
        mult: [8, "u32"],
        shift: [12, "u32"],
        xtime_nsec: [32, "u64"],
        xtime_sec: [112, "u64"],
        wall_to_monotonic: [128, "timespec"],
        offs_boot: [152, "ktime"],
      },
    });
    fake.symbol("timekeeper", AT);
    write(fake, AT);
    fake.memory.put32(AT + 12n, 24);
    expect(machineTime(fake.kernel)).toEqual(EXPECTED);
  });

  test("without a symbol the shape is looked for, also across a page's end", () => {
    const fake = new FakeKernel(TIMEKEEPER);
    fake.symbol("jiffies", AT);
    // Pairs of equal pointers at the same distance that are none.
    for (let i = 0n; i < 512n; i++) fake.memory.put64(AT + i * 8n, SOURCE);
    write(fake, AT + 0x3000n - 32n);
    expect(machineTime(fake.kernel)).toEqual(EXPECTED);
  });

  test("CRASHTIME is the better date, the header's time the last resort", () => {
    const fake = new FakeKernel({ ...TIMEKEEPER, seqcount_raw_spinlock: { sequence: [0, "u32"] } });
    fake.symbol("tk_core", AT);
    write(fake, AT + 8n);
    Object.assign(fake, { vmcoreinfo: {} });
    fake.dump.vmcoreinfo = "OSRELEASE=6.1\nCRASHTIME=1795171590\n";
    expect(machineTime(fake.kernel)).toMatchObject({
      realtime: 1_795_171_590_000_000_000n,
      uptime: 100_500_000_000n,
      dateSource: "CRASHTIME of VMCOREINFO",
    });
    const bare = new FakeKernel({});
    bare.dump.timestamp = 17;
    expect(machineTime(bare.kernel)).toEqual({
      uptime: undefined,
      monotonic: undefined,
      realtime: 17_000_000_000n,
      uptimeSource: "unknown",
      dateSource: "the dump's header",
    });
  });

  test("a log stamp becomes a date", () => {
    const fake = new FakeKernel({ ...TIMEKEEPER, seqcount_raw_spinlock: { sequence: [0, "u32"] } });
    fake.symbol("tk_core", AT);
    write(fake, AT + 8n);
    expect(logStampToDate(fake.kernel, 60_500_000_000n)).toBe(EXPECTED.realtime);
    expect(logStampToDate(fake.kernel, 0n)).toBe(EXPECTED.realtime - 60_500_000_000n);
  });
});

describe("uptimeOfJiffies", () => {
  test.each([100, 250, 300, 1000])("HZ %i is told by the log", (rate) => {
    const jiffies = BigInt.asUintN(32, BigInt(-300 * rate)) + BigInt(rate * 12);
    expect(uptimeOfJiffies(jiffies, 11_700_000_000n)).toBe(12_000_000_000n);
  });

  test("long after the wrap too", () => {
    const jiffies = BigInt.asUintN(32, BigInt(-300 * 250)) + 250n * 400_000n;
    expect(uptimeOfJiffies(jiffies, 399_990_000_000_000n)).toBe(400_000_000_000_000n);
  });
});
