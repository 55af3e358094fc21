import { describe, expect, it } from "vitest";
import { virtual } from "../bytes/address.ts";
import { LookupError } from "../bytes/errors.ts";
import type { Command, Session } from "./command.ts";
import { foreach } from "./foreach.ts";
import { jsonChunks } from "./json.ts";
import { fakeSession } from "./testing/fake-session.ts";

const tasks = [
  { pid: 0, tgid: 0, comm: "swapper/0", address: virtual(0xf0n), idle: true, active: true, mm: virtual(0n) },
  { pid: 1, tgid: 1, comm: "init", address: virtual(0xf1n), state: 1 },
  { pid: 7, tgid: 7, comm: "kworker/0:1", address: virtual(0xf7n), state: 2, flags: 0x200000, mm: virtual(0n) },
  { pid: 20, tgid: 20, comm: "bash", address: virtual(0x20n), state: 2 },
  { pid: 21, tgid: 20, comm: "bash", address: virtual(0xf21n), active: true },
];

/** Gives the context's address; fails for pid 7. */
const bt: Command = {
  spec: { name: "bt", summary: "", synopsis: [""], description: [], options: [{ flag: "-s", help: "" }] },
  run(session, args) {
    if (session.context === 0xf7n) throw new LookupError("no stack");
    return {
      symbols: args.has("-s"),
      stacks: (function* () {
        yield { at: session.context };
      })(),
    };
  },
  text: function* (result) {
    for (const { at } of (result as { stacks: Iterable<{ at: bigint }> }).stacks) yield `stack ${at.toString(16)}`;
  },
};
const set: Command = { ...bt, spec: { ...bt.spec, name: "set" }, run: (session) => ({ context: session.context }), text: () => ["set"] };
const ps: Command = {
  ...bt,
  spec: { ...bt.spec, name: "ps" },
  run: (_session, args) => ({ tasks: args.operands }),
  text: (result) => (result as { tasks: string[] }).tasks,
};

const session = fakeSession({ tasks, commands: [foreach, bt, set, ps] });
const text = (line: string, on: Session = session) => [...on.execute(`foreach ${line}`).text({ radix: 10 })];
const json = (line: string) => JSON.parse(jsonChunks(session.execute(`foreach ${line}`).result).join("")) as Record<string, unknown>;

describe("foreach", () => {
  it("runs the command for all tasks, with a blank line between", () => {
    expect(text("bt")).toEqual(["stack f0", "", "stack f1", "", "bt: pid 7 (kworker/0:1): no stack", "", "stack 20", "", "stack f21"]);
  });

  it("chooses by pid, address, name, expression, state and kind", () => {
    const chosen = (selectors: string) =>
      (json(`${selectors} ps`).tasks as string[]).map((address) => Number.parseInt(address, 16).toString(16));
    expect(chosen("1 20")).toEqual(["f1", "20"]);
    expect(chosen("f21")).toEqual(["f21"]);
    expect(chosen("bash init")).toEqual(["f1", "20", "f21"]);
    expect(chosen("'^k.*:'")).toEqual(["f7"]);
    expect(chosen("UN")).toEqual(["f7", "20"]);
    expect(chosen("UN IN user")).toEqual(["f1", "20"]);
    expect(chosen("kernel")).toEqual(["f0", "f7"]);
    expect(chosen("gleader user")).toEqual(["f1", "20"]);
    expect(chosen("gleader")).toEqual(chosen("gleader user"));
    expect(chosen("active")).toEqual(["f0", "f21"]);
  });

  it("passes options on and leaves the user's context alone", () => {
    session.context = virtual(0xf1n);
    expect(json("20 bt -s")).toEqual({ symbols: true, stacks: [{ at: "0x20" }] });
    expect(session.context).toBe(0xf1n);
  });

  it("joins the results of all tasks as data, and lists what failed", () => {
    expect(json("1 7 20 bt")).toEqual({
      symbols: false,
      stacks: [{ at: "0xf1" }, { at: "0x20" }],
      errors: [{ task: { pid: 7, comm: "kworker/0:1", address: "0xf7", cpu: 0 }, kind: "lookup", message: "no stack" }],
    });
  });

  it("fails itself when nothing succeeded, after telling of each", () => {
    expect(() => json("7 bt")).toThrow("bt failed for every task (1)");
    const told: string[] = [];
    expect(() => {
      for (const line of session.execute("foreach 7 bt").text({ radix: 10 })) told.push(line);
    }).toThrow("bt failed for every task (1)");
    expect(told).toEqual(["bt: pid 7 (kworker/0:1): no stack"]);
  });

  it("gives results without sequences one by one", () => {
    expect(json("1 20 set")).toEqual({
      results: [
        { task: { pid: 1, comm: "init", address: "0xf1", cpu: 0 }, result: { context: "0xf1" } },
        { task: { pid: 20, comm: "bash", address: "0x20", cpu: 0 }, result: { context: "0x20" } },
      ],
    });
  });

  it("runs lazily", () => {
    let runs = 0;
    const counting = fakeSession({ tasks, commands: [foreach, { ...set, run: () => ({ n: runs++ }) }] });
    const lines = counting.execute("foreach set").text({ radix: 10 })[Symbol.iterator]();
    lines.next();
    expect(runs).toBe(1);
  });

  it("says what is missing", () => {
    expect(() => text("")).toThrow("a command is missing");
    expect(() => text("bash")).toThrow("a command is missing");
    expect(() => text("vm")).toThrow("vm does not exist yet");
    expect(() => text("nobody bt")).toThrow('"nobody" is no command that foreach runs');
    expect(() => text("'(' bt")).toThrow("no regular expression");
    expect(() => text("1 bt -z")).toThrow('invalid option "-z"');
  });
});
