import { describe, expect, test } from "vitest";
import { type SymbolRegion, sym } from "./sym.ts";
import { printSession } from "./testing/print-session.ts";

const { run, result, session } = printSession();

test("names, addresses, sums", () => {
  expect(run("sym run_it")).toEqual(["ffffffff81000010 (T) run_it"]);
  expect(run("sym ffffffff81000010")).toEqual(["ffffffff81000010 (T) run_it"]);
  expect(run("sym ffffffff81000022")).toEqual(["ffffffff81000022 (T) run_it+18"]);
  expect(run("sym run_it+0x12")).toEqual(["ffffffff81000022 (T) run_it+18"]);
  session.settings.radix = 16;
  expect(run("sym ffffffff81000022")).toEqual(["ffffffff81000022 (T) run_it+0x12"]);
  session.settings.radix = 10;
});

test("several words, one after another; a wrong one does not hide those before it", () => {
  expect(run("sym run_it stop_it")).toHaveLength(2);
  const lines: string[] = [];
  expect(() => {
    for (const line of session.execute("sym run_it nosuch").text({ radix: 10 })) lines.push(line);
  }).toThrow('no symbol named "nosuch"');
  expect(lines).toEqual(["ffffffff81000010 (T) run_it"]);
});

test("neighbours", () => {
  expect(run("sym -np run_it").map((line) => line.split(" ")[2])).toEqual(["_stext", "run_it", "stop_it"]);
  expect(run("sym -p ffffffff81000041").map((line) => line.split(" ")[2])).toEqual(["run_it", "stop_it+1"]);
});

test("-q and -l", () => {
  expect(run("sym -q _it")).toEqual(["ffffffff81000010 (T) run_it", "ffffffff81000040 (t) stop_it"]);
  expect(run("sym -l")).toHaveLength(15);
  expect(run("sym -l")[1]).toBe("10 (D) counter");
});

test("data", () => {
  expect([...(result("sym ffffffff81000022") as { symbols: Iterable<unknown> }).symbols]).toEqual([
    { name: "run_it", address: 0xffffffff81000022n, offset: 18, module: null, type: "T" },
  ]);
});

describe("errors", () => {
  test.each([
    ["sym", "usage: sym"],
    ["sym -l -M", "-l and -M exclude each other"],
    ["sym -m nosuch", 'no module named "nosuch" is loaded'],
    ["sym -q zzz", `no symbol's name contains "zzz"`],
  ])("%s", (line, message) => {
    expect(() => run(line)).toThrow(message);
  });
});

test("a module's symbols stand between the bounds of its areas", () => {
  const symbol = (name: string, address: bigint) => ({ name, address, offset: 0, module: "loop", type: "t" });
  const text = (regions: readonly SymbolRegion[]) => [
    ...sym.text({ symbols: [symbol("lo_open", 0x1000n), symbol("lo_fops", 0x4010n)], modules: [{ name: "loop", regions }] }, { radix: 10 }),
  ];
  expect(text([{ kind: "core", start: 0x1000n, end: 0x5000n }])).toEqual([
    "1000 MODULE START: loop",
    "1000 (t) lo_open",
    "4010 (t) lo_fops",
    "5000 MODULE END: loop",
  ]);
  const areas = [
    { kind: "text", start: 0x1000n, end: 0x2000n },
    { kind: "rodata", start: 0x6000n, end: 0x7000n },
    { kind: "data", start: 0x4000n, end: 0x5000n },
  ];
  expect(text(areas)).toEqual([
    "1000 MODULE TEXT START: loop",
    "1000 (t) lo_open",
    "1fff MODULE TEXT END: loop",
    "4000 MODULE DATA START: loop",
    "4010 (t) lo_fops",
    "4fff MODULE DATA END: loop",
    "6000 MODULE RODATA START: loop",
    "6fff MODULE RODATA END: loop",
  ]);
  // Modules of data alone have no symbols where kallsyms lists functions only.
  const alone = (name: string, start: bigint) => ({ name, regions: [{ kind: "core", start, end: start + 0x1000n }] });
  const modules = [alone("first", 0x1000n), alone("loop", 0x3000n), alone("last", 0x5000n)];
  expect([...sym.text({ symbols: [symbol("lo_open", 0x3000n)], modules }, { radix: 10 })]).toEqual([
    "1000 MODULE START: first",
    "2000 MODULE END: first",
    "3000 MODULE START: loop",
    "3000 (t) lo_open",
    "4000 MODULE END: loop",
    "5000 MODULE START: last",
    "6000 MODULE END: last",
  ]);
});
