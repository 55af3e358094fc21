import { describe, expect, test } from "vitest";
import { virtual } from "../bytes/address.ts";
import { bitsOf, cpuMasks, cpuMegahertz, loadAverages } from "./cpu.ts";
import { FakeKernel } from "./testing/fake-kernel.ts";

const AT = 0xffff_ffff_8300_0000n;

describe("cpuMasks", () => {
  test("bits beyond the first word", () => {
    expect(bitsOf(Uint8Array.of(0b101, 0, 0x80))).toEqual([0, 2, 23]);
  });

  test("a missing mask falls back to the wider one, all missing to the per-CPU areas", () => {
    const fake = new FakeKernel({ cpumask: { bits: [0, "u64"] } });
    fake.symbol("__cpu_possible_mask", AT);
    fake.symbol("__cpu_online_mask", AT + 8n);
    fake.memory.put64(AT, 0xfn);
    fake.memory.put64(AT + 8n, 0x2n);
    expect(cpuMasks(fake.kernel)).toEqual({ possible: [0, 1, 2, 3], present: [0, 1, 2, 3], online: [1] });
    const bare = new FakeKernel({});
    bare.perCpuOffsets = [virtual(1n), undefined, virtual(2n)];
    expect(cpuMasks(bare.kernel)).toEqual({ possible: [0, 2], present: [0, 2], online: [0, 2] });
    expect([...fake.notes, ...bare.notes]).toEqual([]);
    const blind = new FakeKernel({});
    expect(cpuMasks(blind.kernel).present).toEqual([0]);
    expect(blind.notes).toEqual([expect.stringContaining("how many CPUs the machine has cannot be told")]);
  });
});

test("a damaged mask is held against nr_cpu_ids", () => {
  const fake = new FakeKernel({ cpumask: { bits: [0, "u64"] } });
  fake.symbol("__cpu_possible_mask", AT);
  fake.symbol("nr_cpu_ids", AT + 8n);
  fake.memory.put64(AT, 0xf0f0_0f0f_ff00_0006n);
  fake.memory.put32(AT + 8n, 3);
  expect(cpuMasks(fake.kernel)).toEqual({ possible: [1, 2], present: [1, 2], online: [1, 2] });
  expect(fake.notes).toEqual([expect.stringContaining("the mask of possible CPUs is damaged")]);
});

test("without types a mask ends at the highest CPU there can be", () => {
  for (const by of ["nr_cpu_ids", "per-CPU areas"]) {
    const fake = new FakeKernel({});
    fake.symbol("__cpu_possible_mask", AT);
    // Other data lie behind the first byte.
    fake.memory.put64(AT, 0xdead_beef_ffff_ff07n);
    fake.perCpuOffsets = [virtual(1n), virtual(2n), virtual(3n)];
    if (by === "nr_cpu_ids") {
      fake.symbol(by, AT + 0x100n);
      fake.memory.put32(AT + 0x100n, 3);
      fake.perCpuOffsets = [virtual(1n)];
    }
    expect(cpuMasks(fake.kernel).possible).toEqual([0, 1, 2]);
  }
});

describe("loadAverages and clock rate", () => {
  test("are rounded as /proc/loadavg rounds", () => {
    const fake = new FakeKernel({});
    expect(loadAverages(fake.kernel)).toBeUndefined();
    fake.symbol("avenrun", AT);
    // 0.995 is just below 1.00 in eleven bits, and rounds up; 12.34 stays.
    fake.memory.put64(AT, 2038n);
    fake.memory.put64(AT + 8n, 25272n);
    fake.memory.put64(AT + 16n, 0n);
    expect(loadAverages(fake.kernel)).toEqual([1, 12.34, 0]);
  });

  test("cpu_khz in MHz, absent on machines without it", () => {
    const fake = new FakeKernel({});
    expect(cpuMegahertz(fake.kernel)).toBeUndefined();
    fake.symbol("cpu_khz", AT);
    fake.memory.put32(AT, 2_596_114);
    expect(cpuMegahertz(fake.kernel)).toBeCloseTo(2596.114);
  });
});
