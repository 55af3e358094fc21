import { describe, expect, it } from "vitest";
import type { StructType } from "../debug-info/c-type.ts";
import { expandAlias, resolveLine, runLine } from "./run-line.ts";
import { echoCommand, fakeSession } from "./testing/fake-session.ts";

const page: StructType = { kind: "struct", name: "page", size: 64, members: [] };
const commands = ["p", "struct", "union", "whatis", "sym", "eval", "*", "ps", "log"].map((name) => echoCommand(name));
const session = fakeSession({
  commands,
  symbols: { jiffies: [0x1000n, "D"], jiffies_t: [0x1000n, "T"], schedule: [0x2000n, "T"], page: [0x3000n, "t"] },
  types: [
    ["struct", "page", page],
    ["union", "thread_union", { ...page, kind: "union", name: "thread_union" }],
    ["variable", "jiffies_t", page],
    ["typedef", "u8", { kind: "int", name: "unsigned char", size: 1, signed: false, encoding: "char" }],
  ],
});
const meaning = (line: string) => {
  const { command, line: rest } = resolveLine(session, line);
  return `${command.spec.name} ${rest}`.trim();
};

describe("what a line means", () => {
  it("finds commands first", () => {
    expect(meaning("ps -k")).toBe("ps -k");
    expect(meaning("*page ffff")).toBe("* page ffff");
    expect(meaning("* page ffff")).toBe("* page ffff");
  });

  it("falls through to variables, types, functions and expressions", () => {
    expect(meaning("jiffies")).toBe("p jiffies");
    expect(meaning("jiffies.foo[2]")).toBe("p jiffies.foo[2]");
    expect(meaning("&jiffies")).toBe("p &jiffies");
    expect(meaning("page.flags ffff")).toBe("struct page.flags ffff");
    expect(meaning("thread_union")).toBe("union thread_union");
    expect(meaning("u8")).toBe("whatis u8");
    expect(meaning("enum zone_type")).toBe("whatis enum zone_type");
    expect(meaning("schedule")).toBe("sym schedule");
    expect(meaning("(1 + 2)")).toBe("eval (1 + 2)");
    expect(meaning("0x10")).toBe("eval 0x10");
    expect(meaning("ffff888003a4c000")).toBe("eval ffff888003a4c000");
    expect(meaning("jiffies_t")).toBe("p jiffies_t");
    expect(meaning("(struct page *)0xffff")).toBe("p (struct page *)0xffff");
    for (const line of [
      "$rip",
      "$",
      "$3 + 1",
      "$x = 5",
      '"text"',
      "offsetof(struct page, lru)",
      "per_cpu(rq, 1).cpu",
      "'a.c'::x",
      "run::x",
    ])
      expect(meaning(line)).toBe(`p ${line}`);
  });

  it("takes gdb's format behind the name", () => {
    const formats = fakeSession({ commands: [echoCommand("p", { formats: true, rawLine: true }), echoCommand("ps")] });
    expect(runLine(formats, "p/x jiffies").result).toMatchObject({ line: "/x jiffies" });
    expect(() => runLine(formats, "ps/x jiffies")).toThrow("command not found: ps/x");
  });

  it("names what is close to a mistyped command", () => {
    expect(() => resolveLine(session, "strcut page")).toThrow("command not found: strcut (nearest: struct)");
    expect(() => resolveLine(session, "$$$")).toThrow("command not found: $$$");
  });

  it("runs only what works with --minimal", () => {
    const minimal = fakeSession({ commands: [echoCommand("eval"), echoCommand("ps", { minimal: false })], minimal: true });
    expect(runLine(minimal, "eval 1").args).toEqual(["1"]);
    expect(() => runLine(minimal, "ps")).toThrow("not available with --minimal");
    expect(() => runLine(minimal, "jiffies")).toThrow("command not found");
  });
});

describe("aliases", () => {
  it("expand in front, into places, and one into another", () => {
    const own = fakeSession({ commands });
    own.aliases.set("kt", { line: "ps -k", origin: "runtime" });
    own.aliases.set("comm", { line: "struct task_struct.comm $1 | grep $2", origin: "runtime" });
    own.aliases.set("kk", { line: "kt x", origin: "runtime" });
    own.aliases.set("loop", { line: "loop2", origin: "runtime" });
    own.aliases.set("loop2", { line: "loop", origin: "runtime" });
    expect(expandAlias(own, "kt -s")).toBe("ps -k -s");
    expect(expandAlias(own, "comm ffff bash")).toBe("struct task_struct.comm ffff | grep bash");
    expect(expandAlias(own, "kk")).toBe("ps -k x");
    expect(expandAlias(own, "px jiffies")).toBe("p -x jiffies");
    expect(expandAlias(own, "\\kt")).toBe("kt");
    expect(expandAlias(own, "loop 1")).toMatch(/^loop2? 1/);
  });

  it("reach commands through execute()", () => {
    const outcome = session.execute("dmesg T");
    expect([...outcome.text({ radix: 10 })]).toEqual(["log: T"]);
  });
});
