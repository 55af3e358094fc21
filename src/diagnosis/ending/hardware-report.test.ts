import { describe, expect, it } from "vitest";
import type { LogRecord } from "../../linux/log-record.ts";
import { hardwareReports, statusText } from "./hardware-report.ts";

function records(text: string): LogRecord[] {
  return text
    .trim()
    .split("\n")
    .map((line, sequence) => ({
      sequence,
      nanoseconds: 0n,
      level: 1,
      facility: 0,
      caller: undefined,
      comm: undefined,
      text: line.trim(),
      dictionary: [],
    }));
}

describe("reports of hardware", () => {
  it("machine checks, with what the lines behind add", () => {
    const [report] = hardwareReports(
      records(`
        mce: [Hardware Error]: CPU 1: Machine Check Exception: 5 Bank 4: be0000000001009f
        mce: [Hardware Error]: RIP !INEXACT! 10:<ffffffff81000000> {f+0x1/0x2}
        mce: [Hardware Error]: TSC 12345678 ADDR 3fff12340 MISC 8c`),
    );
    expect(report).toMatchObject({
      what: "machine check",
      uncorrected: true,
      cpu: 1,
      bank: 4,
      status: 0xbe00_0000_0001_009fn,
      address: 0x3_fff1_2340n,
    });
    expect(statusText(report?.status ?? 0n)).toBe("uncorrected, the processor's state is lost, memory controller error");
  });

  it("tells corrected errors from others", () => {
    const uncorrected = (line: string) => hardwareReports(records(line)).map((each) => each.uncorrected);
    expect(uncorrected("mce: [Hardware Error]: CPU 0: Machine Check: 0 Bank 7: 8c00004000010091")).toEqual([false]);
    expect(uncorrected("EDAC MC0: 1 CE memory read error on CPU_SrcID#0 (channel:0 slot:0 page:0x12345 offset:0x40 grain:32)")).toEqual([
      false,
    ]);
    expect(uncorrected("EDAC MC0: 1 UE memory read error on CPU_SrcID#0 (channel:0 slot:0 page:0x12345 offset:0x40 grain:32)")).toEqual([
      true,
    ]);
    expect(uncorrected("Memory failure: 0x12345: recovery action for dirty LRU page: Recovered")).toEqual([false]);
    expect(uncorrected("Memory failure: 0x12345: recovery action for kernel page: Failed")).toEqual([true]);
    expect(uncorrected("{1}[Hardware Error]: event severity: corrected")).toEqual([false]);
    expect(uncorrected("{1}[Hardware Error]: event severity: fatal")).toEqual([true]);
    expect(uncorrected("mce: [Hardware Error]: Machine check events logged")).toEqual([]);
  });

  it("gives the place", () => {
    expect(hardwareReports(records("EDAC MC0: 1 UE error on x (page:0x12345 offset:0x40 grain:32)"))[0]?.address).toBe(0x1234_5040n);
    expect(hardwareReports(records("Memory failure: 0x12345: recovery action for x: Failed"))[0]?.address).toBe(0x1234_5000n);
    expect(hardwareReports(records("Kernel panic - not syncing: Memory failure on page 42000"))[0]?.address).toBe(0x4200_0000n);
    expect(
      hardwareReports(records("{1}[Hardware Error]: event severity: fatal\n{1}[Hardware Error]:   physical_address: 0x00000000c0ffee00"))[0]
        ?.address,
    ).toBe(0xc0ff_ee00n);
    expect(hardwareReports(records("NMI: PCI system error (SERR) for reason a1 on CPU 3."))[0]).toMatchObject({
      cpu: 3,
      uncorrected: true,
    });
  });
});
