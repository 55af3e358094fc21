import { describe, expect, test } from "vitest";
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
  expect(run("sym -l")).toHaveLength(14);
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
