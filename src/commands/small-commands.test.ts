/** The small commands of the framework: eval, ascii, alias, btop, ptob, ptov, set, exit. */
import { describe, expect, it } from "vitest";
import { virtual } from "../bytes/address.ts";
import { taskTable } from "../linux/task.ts";
import { alias } from "./alias.ts";
import { ascii } from "./ascii.ts";
import { btop } from "./btop.ts";
import { evalCommand } from "./eval.ts";
import { exit } from "./exit.ts";
import { ptob } from "./ptob.ts";
import { ptov } from "./ptov.ts";
import { set } from "./set.ts";
import { fakeSession } from "./testing/fake-session.ts";

const make = () =>
  fakeSession({
    commands: [alias, ascii, btop, evalCommand, exit, ptob, ptov, set],
    symbols: { runqueues: [0x100n, "D"] },
    tasks: [
      { pid: 1, comm: "init", address: virtual(0xf1n), active: true, cpu: 1 },
      { pid: 10, comm: "x", address: virtual(0x10n), cpu: 1 },
    ],
  });
const lines = (line: string, session = make()) => [...session.execute(line).text({ radix: 10 })];

describe("eval", () => {
  it("shows the bases and the size", () => {
    expect(lines("eval 128m")).toEqual([
      "hexadecimal: 8000000  (128MB)",
      "    decimal: 134217728",
      "      octal: 1000000000",
      `     binary: ${"1".padStart(64 - 27, "0")}${"0".repeat(27)}`,
    ]);
  });

  it("shows negative values both ways, and bits", () => {
    const shown = lines("eval -b -2");
    expect(shown[0]).toBe("hexadecimal: fffffffffffffffe");
    expect(shown[1]).toBe("    decimal: 18446744073709551614  (-2)");
    expect(shown[4]).toBe(`   bits set: ${Array.from({ length: 63 }, (_, i) => 63 - i).join(" ")}`);
    expect(lines("eval -b 5")[4]).toBe("   bits set: 2 0");
  });

  it("takes symbols and refuses what does not fit", () => {
    expect(lines("eval runqueues + 8")[0]).toBe("hexadecimal: 108");
    expect(() => lines("eval 1 << 64")).toThrow("does not fit 64 bits");
    expect(() => lines("eval")).toThrow("usage: eval");
  });
});

describe("ascii", () => {
  it("translates words, lowest byte first", () => {
    expect(lines("ascii 62696c2f7273752f 20e90a41ff")).toEqual([
      "62696c2f7273752f: /usr/lib",
      "00000020e90a41ff: <ff>A<LF><e9> <NUL><NUL><NUL>",
    ]);
  });

  it("draws the chart", () => {
    const chart = lines("ascii");
    expect(chart).toHaveLength(20);
    expect(chart[3]).toBe("  0 | NUL DLE  SP  0   @   P   `   p");
    expect(chart[18]).toBe("  F |  SI  US  /   ?   O   _   o  DEL");
  });
});

describe("pages and addresses", () => {
  it("converts", () => {
    expect(lines("btop 512a000 1fff")).toEqual(["512a000: 512a", "1fff: 1"]);
    expect(lines("ptob 512a 1204 (4*4)")).toEqual(["512a: 512a000", "4b4: 4b4000", "10: 10000"]);
    expect(lines("ptov 56e000")).toEqual(["VIRTUAL           PHYSICAL", "ffff88800056e000  56e000"]);
    expect(lines("ptov 1000 runqueues:1")).toEqual([
      "VIRTUAL           PHYSICAL",
      "ffff888000001000  1000",
      "",
      "PER-CPU OFFSET: 100",
      "  CPU    VIRTUAL",
      "  [1]  0000000000002100",
    ]);
    expect(lines("ptov runqueues:a")).toEqual([
      "PER-CPU OFFSET: 100",
      "  CPU    VIRTUAL",
      "  [0]  0000000000001100",
      "  [1]  0000000000002100",
    ]);
    expect(() => lines("ptob -1")).toThrow("no page frame number");
    expect(() => lines("ptov 100:7")).toThrow("CPU 7 does not exist");
    for (const outside of ["fffffffffffff", "ffffffffffffff00"])
      expect(() => lines(`ptov ${outside}`)).toThrow(`${outside}: the linear mapping reaches no such physical address`);
  });
});

describe("alias", () => {
  it("defines, shows, runs and removes", () => {
    const session = make();
    expect(lines('alias hexval "eval $1 | head -1"', session)).toEqual([
      "ORIGIN   ALIAS    COMMAND",
      "runtime  hexval   eval $1 | head -1",
    ]);
    expect(lines("alias e2 eval 0x2", session)[1]).toBe("runtime  e2       eval 0x2");
    expect(lines("e2", session)[0]).toBe("hexadecimal: 2");
    expect(lines('alias e2 ""', session)).toEqual(["alias deleted: e2"]);
    expect(() => lines("alias e2", session)).toThrow("alias does not exist: e2");
    expect(() => lines("alias eval foo", session)).toThrow("is a command");
    expect(lines("alias", session)).toContain("builtin  dmesg    log");
  });
});

describe("set", () => {
  it("shows and changes variables", () => {
    const session = make();
    expect(lines("set radix", session)).toEqual(["output radix: 10 (decimal)"]);
    expect(lines("hex", session)).toEqual(["output radix: 16 (hex)"]);
    expect(session.settings.radix).toBe(16);
    lines("sf", session);
    expect(session.settings.scroll).toBe(false);
    expect(lines("set scroll less", session)).toEqual(["scroll: on (less)"]);
    expect(lines("set print_max 0x20", session)).toEqual(["print_max: 32"]);
    expect(lines("set null_stop on", session)).toEqual(["null-stop: on"]);
    lines("set zero_excluded on", session);
    expect(session.kernel.physical.zeroExcluded).toBe(true);
    expect(lines("set -v", session)).toContain("         radix: 16 (hex)");
  });

  it("refuses what it does not know", () => {
    expect(() => lines("set radix 8")).toThrow('radix is 10 or 16, not "8"');
    expect(() => lines("set radx 10")).toThrow('no variable named "radx" (nearest: radix)');
    expect(() => lines("set scroll maybe")).toThrow("scroll is on or off");
    expect(() => lines("set namelist x")).toThrow("is fixed");
    expect(() => lines("set 999")).toThrow("invalid task or pid value: 999");
  });

  it("changes the task by pid, address and CPU", () => {
    const session = make();
    const context = (line: string) => {
      try {
        session.execute(line);
      } catch {
        // The fake kernel cannot tell the panic task that the block shows.
      }
      return session.context;
    };
    expect(context("set 1")).toBe(0xf1n);
    expect(context("set 10")).toBe(0x10n);
    expect(context("set f1")).toBe(0xf1n);
    expect(context("set 10")).toBe(0x10n);
    expect(context("set -c 1")).toBe(0xf1n);
    const table = taskTable(session.kernel);
    expect(table.tasks.map(({ active }) => active)).toEqual([true, false]);
    expect(context("set -a 10")).toBe(0x10n);
    expect(table.tasks.map(({ active }) => active)).toEqual([false, true]);
  });
});

it("exit ends the session", () => {
  const session = make();
  session.execute("q");
  expect(session.finished).toBe(true);
});
