import { describe, expect, it } from "vitest";
import type { CType, StructType } from "../debug-info/c-type.ts";
import { complete } from "./completion.ts";
import { echoCommand, fakeSession } from "./testing/fake-session.ts";

const u64: CType = { kind: "int", name: "unsigned long", size: 8, signed: false, encoding: "int" };
const member = (name: string | undefined, type: CType) => ({ name, type, bitOffset: 0, bitSize: undefined });
const mm: StructType = { kind: "struct", name: "mm_struct", size: 8, members: [member("pgd", u64), member("pgtables", u64)] };
const anonymous: StructType = { kind: "struct", name: undefined, size: 8, members: [member("comm_hidden", u64)] };
const task: StructType = {
  kind: "struct",
  name: "task_struct",
  size: 8,
  members: [member("pid", u64), member("comm", u64), member(undefined, anonymous), member("mm", { kind: "pointer", size: 8, target: mm })],
};
const session = fakeSession({
  commands: [
    echoCommand("struct", {
      operands: ["member"],
      options: [
        { flag: "-o", help: "" },
        { flag: "-x", help: "" },
      ],
    }),
    echoCommand("sym", { operands: ["symbol"] }),
    echoCommand("set", { operands: ["task"] }),
    echoCommand("sys"),
    echoCommand("p", { rawLine: true }),
    echoCommand("bt", { options: [{ flag: "-a", help: "" }] }),
    echoCommand("help", { operands: ["command"] }),
    echoCommand("foreach", { rawLine: true }),
    echoCommand("info", { rawLine: true }),
    echoCommand("lock", { operands: ["symbol"], options: [{ flag: "--type", argument: "kind", help: "" }] }),
    echoCommand("ps", { options: [{ flag: "-y", argument: "policy", help: "" }] }),
    echoCommand("slab", { operands: ["text"] }),
    echoCommand("tree", { operands: ["symbol"], options: [{ flag: "-t", argument: "type", help: "" }] }),
  ],
  symbols: { schedule: [1n, "T"], schedule_timeout: [2n, "T"], init_task: [3n, "D"] },
  types: [
    ["struct", "task_struct", task],
    ["struct", "task_group", task],
    ["struct", "mm_struct", mm],
    ["variable", "init_task", task],
  ],
});
const of = (line: string) => complete(session, line).candidates;

describe("completion", () => {
  it("offers commands and aliases, then types and symbols", () => {
    expect(of("sy")).toEqual(["sym ", "sys "]);
    expect(of("dme")).toEqual(["dmesg "]);
    expect(of("task_")).toEqual(["task_group", "task_struct"]);
    expect(of("sched")).toEqual(["schedule", "schedule_timeout"]);
    expect(complete(session, "  sy").fragment).toBe("sy");
  });

  it("offers options from the spec, also through an alias", () => {
    expect(of("struct -")).toEqual(["-o ", "-x "]);
    expect(of("bt -")).toEqual(["-a "]);
  });

  it("offers the words of a place", () => {
    expect(of("lock --type mu")).toEqual(["mutex "]);
    expect(of("lock init_t")).toEqual(["init_task"]);
    expect(of("ps -y D")).toEqual(["DEADLINE "]);
    expect(of("slab ow")).toEqual(["owners "]);
  });

  it("offers members along a path", () => {
    expect(of("struct task_struct.co")).toEqual(["task_struct.comm", "task_struct.comm_hidden"]);
    expect(of("task_struct.pid,mm.pgt")).toEqual(["task_struct.pid,mm.pgtables"]);
    expect(of("p init_task.mm->pg")).toEqual(["init_task.mm->pgd", "init_task.mm->pgtables"]);
    expect(of("p (init_task.p")).toEqual(["(init_task.pid"]);
    expect(of("*task_s")).toEqual(["*task_struct"]);
    expect(of("struct nosuch.x")).toEqual([]);
  });

  it("says how many it leaves out, and inserts what all have in common", () => {
    const names = Array.from({ length: 300 }, (_, i) => `irq_thing_${i}`);
    const many = fakeSession({
      commands: [echoCommand("sym", { operands: ["symbol"] })],
      symbols: Object.fromEntries(names.map((name) => [name, [1n, "T"]])),
    });
    expect(complete(many, "sym irq_th").candidates).toEqual(["irq_thing_"]);
    const listed = complete(many, "sym irq_thing_").candidates;
    expect(listed).toHaveLength(201);
    expect(listed.at(-1)).toBe("(100 more)");
  });

  it("offers symbols, settings, commands and selectors where they fit", () => {
    expect(of("sym schedule_")).toEqual(["schedule_timeout"]);
    expect(of("p &init")).toEqual(["&init_task"]);
    expect(of("set rad")).toEqual(["radix "]);
    expect(of("help s")).toEqual(["set", "slab", "struct", "sym", "sys"]);
    expect(of("foreach U")).toEqual(["UN "]);
    expect(of("foreach UN b")).toEqual(["bt "]);
    expect(of("foreach UN bt -")).toEqual(["-a "]);
  });

  it("knows the topics of info and the kinds of trees", () => {
    expect(complete(session, "info r").candidates).toEqual(["registers "]);
    expect(complete(session, "tree -t ma").candidates).toEqual(["maple "]);
    expect(complete(session, "tree init").candidates).toContain("init_task");
  });
});
