import { beforeEach, expect, test, vi } from "vitest";
import type { Command } from "./command.ts";
import { defineCommand } from "./command.ts";
import { createRegistry } from "./registry.ts";
import { createSession } from "./session.ts";
import { DATA, NODES, printSession } from "./testing/print-session.ts";
import { x } from "./x.ts";

let { run, session, memory } = printSession();
beforeEach(() => {
  ({ run, session, memory } = printSession());
});

test("words in rows, with the symbol they lie in", () => {
  expect(run("x/3xg &head")).toEqual([
    "0xffffffff82000100 <head>:\t0xffff888000001008\t0xffff888000001088",
    "0xffffffff82000110 <head+16>:\t0x0000000000000000",
  ]);
  expect(run("x/5xw &ticks")).toEqual([
    "0xffffffff82000040 <ticks>:\t0x0000002a\t0x00000000\t0x00000000\t0x00000000",
    "0xffffffff82000050 <ticks+16>:\t0x00000000",
  ]);
  expect(run("x/2xb banner")).toEqual(["0xffffffff82000000 <banner>:\t0x4c\t0x69"]);
  expect(run("x/2dh &small")).toEqual(["0xffffffff82000088 <small>:\t7\t0"]);
  expect(run("x/tb &small")).toEqual(["0xffffffff82000088 <small>:\t00000111"]);
  expect(run("x/2c banner")).toEqual(["0xffffffff82000000 <banner>:\t76 'L'\t105 'i'"]);
  expect(run("x/a &pointer")).toEqual(["0xffffffff82000080 <pointer>:\t0xffffffff82000040 <ticks>"]);
});

test("format, unit and place hold from line to line", () => {
  expect(run("x/2dw &ticks")).toEqual(["0xffffffff82000040 <ticks>:\t42\t0"]);
  expect(run("x")).toEqual(["0xffffffff82000048 <ticks+8>:\t0"]);
  expect(run("x/2")).toEqual(["0xffffffff8200004c <ticks+12>:\t0\t0"]);
  expect(run("x &small")).toEqual(["0xffffffff82000088 <small>:\t7"]);
  expect(run("x/-2 &small")).toEqual(["0xffffffff82000080 <pointer>:\t-2113929152\t-1"]);
  expect(() => printSession().run("x")).toThrow("an address is missing");
});

test("strings follow each other; a long one is cut and goes on", () => {
  memory.text(DATA + 0x180n, "one\0two\0");
  expect(run("x/2s 0xffffffff82000180")).toEqual(['0xffffffff82000180 <head+128>:\t"one"', '0xffffffff82000184 <head+132>:\t"two"']);
  session.settings.printMax = 2;
  expect(run("x/2s 0xffffffff82000180")).toEqual(['0xffffffff82000180 <head+128>:\t"on"...', '0xffffffff82000182 <head+130>:\t"e"']);
});

test("$_ and $__ are what was examined last", () => {
  run("x/2dw &ticks");
  session.registry.find("p");
  expect(run("output (long)$_")).toEqual([String(BigInt.asIntN(64, DATA + 0x44n))]);
  run("x/dw &small");
  expect(run("output $__")).toEqual(["7"]);
});

test("what was read stays when a page is missing", () => {
  const lines: string[] = [];
  const walk = () => {
    for (const line of session.execute("x/8xg 0xffff888000001fe0").text({ radix: 10 })) lines.push(line);
  };
  expect(walk).toThrow("ffff888000002000: not mapped");
  expect(lines).toHaveLength(2);
});

test("errors", () => {
  expect(() => run("x/q &head")).toThrow('"q" is no format; formats are x d u');
  expect(() => run("x/xg nosuch")).toThrow('no symbol named "nosuch"');
  expect(() => run("x/-2s banner")).toThrow("have no length to count back by");
  expect(() => run(`x/${2 ** 25}xg &head`)).toThrow("no number of units");
  expect(() => run("x/xg 1.5")).toThrow('"1.5" is no address: it is double');
});

test("a pasted address and a structure are addresses", () => {
  expect(run(`x/xw ${NODES[0].toString(16)}`)).toEqual(["0xffff888000001000:\t0x00000001"]);
  expect(run("x/xg head")).toEqual(["0xffffffff82000100 <head>:\t0xffff888000001008"]);
});

test("instructions are those of dis, in gdb's columns", () => {
  const line = {
    address: 0xffffffff81000010n,
    symbol: { name: "run_it", offset: 0 },
    bytes: "90",
    mnemonic: "nop",
    operands: "",
    separator: "",
  };
  const asked: string[] = [];
  const dis = defineCommand({
    spec: { name: "dis", summary: "", synopsis: [""], description: [""], options: [] },
    run(_session, args) {
      asked.push(args.line);
      return {
        lines: [
          { ...line, note: "FTRACE NOP" },
          { ...line, address: line.address + 1n },
        ],
        notes: [],
      };
    },
    text: ({ lines }) =>
      [...lines].map(
        (each) => `0x${each.address.toString(16)} <run_it>:\tnop${"note" in each && each.note !== undefined ? " [FTRACE NOP]" : ""}`,
      ),
  }) as Command;
  vi.mock("../stack/unwind.ts", () => ({ unwindTask: () => ({ frames: [{ pc: 0xffffffff81000011n }], stop: { text: "" } }) }));
  const decoding = createSession(session.kernel, { registry: createRegistry([x, dis]) });
  decoding.context = session.kernel.address("head");
  expect([...decoding.execute("x/2i run_it").text({ radix: 10 })]).toEqual([
    "   0xffffffff81000010 <run_it>:\tnop",
    "=> 0xffffffff81000011 <run_it>:\tnop",
  ]);
  expect(asked).toEqual(["ffffffff81000010 2"]);
  const needs = x.spec.needsDisassembler as (text: string) => boolean;
  expect(["/3i schedule", "/i", "/2xg &modules", "schedule"].map((text) => needs(text))).toEqual([true, true, false, false]);
});
