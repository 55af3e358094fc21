import { describe, expect, test } from "vitest";
import { type LogLine, type LogResult, log, stampText } from "./log.ts";

const line = (text: string, more: Partial<LogLine> = {}): LogLine => ({
  seconds: 1.5,
  level: 6,
  caller: "T1",
  facility: 0,
  dictionary: [],
  text,
  ...more,
});
const show = { stamp: "seconds" as const, level: false, dictionary: false, caller: false };

function text(result: Partial<LogResult>): string[] {
  return [...log.text({ notes: [], show, toJSON: () => ({}), ...result }, { radix: 10 })];
}

describe("log", () => {
  test("stamps are cut to microseconds as the kernel cuts them", () => {
    expect(stampText(0)).toBe("    0.000000");
    expect(stampText(5.530203)).toBe("    5.530203");
    // 1234567.000001999 s in a double must not become …002.
    expect(stampText(Number(1_234_567_000_001_999n) / 1e9)).toBe("1234567.000001");
    expect(stampText(Number(4_739_663_000n) / 1e9)).toBe("    4.739663");
  });

  test("every microsecond of the first seconds survives the double", () => {
    for (let micro = 0n; micro < 9_000_000n; micro += 997n) {
      const nanoseconds = micro * 1000n;
      expect(stampText(Number(nanoseconds) / 1e9)).toBe(
        `${String(micro / 1_000_000n).padStart(5)}.${String(micro % 1_000_000n).padStart(6, "0")}`,
      );
    }
  });

  test("every line of a message has its stamp, as dmesg prints it", () => {
    expect(text({ records: [line("one\ntwo")] })).toEqual(["[    1.500000] one", "[    1.500000] two"]);
  });

  test("options add level, caller and dictionary, or take the stamp away", () => {
    const records = [line("hello", { dictionary: [["SUBSYSTEM", "pci"]] })];
    expect(text({ records, show: { ...show, level: true } })).toEqual(["[    1.500000] <6>hello"]);
    expect(text({ records, show: { ...show, caller: true } })).toEqual(["[    1.500000] [    T1] hello"]);
    expect(text({ records, show: { ...show, stamp: "none" } })).toEqual(["hello"]);
    expect(text({ records, show: { ...show, stamp: "none", caller: true } })).toEqual(["[    T1] hello"]);
    expect(text({ records, show: { ...show, dictionary: true } })).toEqual(["[    1.500000] hello", "               SUBSYSTEM=pci"]);
    expect(text({ records, show: { ...show, stamp: "date" }, stamps: [1_795_170_137_000_000_000n] })[0]).toMatch(
      /^\[\w{3} Nov .*2026\] hello$/,
    );
  });

  test("what was lost is told last", () => {
    expect(text({ records: [line("a")], notes: ["a record cannot be read"] }).at(-1)).toBe("log: a record cannot be read");
  });
});
