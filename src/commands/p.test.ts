import { expect, test } from "vitest";
import { jsonChunks } from "./json.ts";
import { NODES, printSession } from "./testing/print-session.ts";

const { run, result } = printSession();

test("results are numbered, symbols are named", () => {
  expect(run("p ticks")).toEqual(["ticks = $1 = 42"]);
  expect(run("px ticks")).toEqual(["ticks = $2 = 0x2a"]);
  expect(run("p ticks + 1")).toEqual(["$3 = 43"]);
  expect(run("p $ * 2")).toEqual(["$4 = 86"]);
  expect(run("p -1")).toEqual(["$5 = -1"]);
  expect(run("p -x -1")).toEqual(["$6 = 0xffffffff"]);
});

test("strings, structures, pointers, functions", () => {
  expect(run("p banner")[0]).toMatch(/= "Linux version 6\.1\\n"$/);
  expect(run("p head").map((line) => line.replace(/\$\d+/, "$"))).toEqual([
    "head = $ = {",
    "  next = 0xffff888000001008,",
    "  prev = 0xffff888000001088",
    "}",
  ]);
  expect(run("p &head")[0]).toMatch(/= \(struct list_head \*\) 0xffffffff82000100 <head>$/);
  // A function or array on a line of its own behind the name, as crash has it.
  expect(run("p run_it")[0]).toMatch(/^run_it = \$\d+ = $/);
  expect(run("p run_it")[1]).toBe(" {long (struct node *, int)} 0xffffffff81000010 <run_it>");
  expect(run(`p ((struct node *)${NODES[1].toString(16)})->mode`)[0]).toMatch(/= ON$/);
});

test("per-CPU variables", () => {
  expect(run("p counter")).toEqual([
    "PER-CPU DATA TYPE:",
    "  int counter;",
    "PER-CPU ADDRESSES:",
    "  [0]: ffff88800f600010",
    "  [1]: ffff88800f700010",
  ]);
  expect(run("p counter:a").map((line) => line.replace(/\$\d+/, "$"))).toEqual([
    "per_cpu(counter, 0) = $ = 5",
    "per_cpu(counter, 1) = $ = 6",
  ]);
  expect(() => run("p ticks:0")).toThrow("ticks is not per-CPU");
  expect(() => run("p counter + 1")).toThrow("per-CPU");
});

test("a symbol of unknown type is shown as a word, and what would help is said", () => {
  const lines = run("p pointer");
  expect(lines[0]).toBe("pointer = 0xffffffff82000040 <ticks>");
  expect(lines[1]).toContain("its type is not known without a vmlinux; cast it: p *(TYPE *)&pointer");
  expect(run("p small")[0]).toBe("small = 0x7");
  expect(run("p *(int *)&small")[0]).toMatch(/= 7$/);
  expect(run("p padding")[0]).toContain("padding: 116 bytes at ffffffff8200008c");
});

test("errors name the column, the member, the address", () => {
  expect(() => run("p head.nxt")).toThrow('struct list_head has no member "nxt" (nearest: next)');
  expect(() => run("p 1 +")).toThrow("column 4");
  expect(() => run("p *(int *)0x5000")).toThrow("0000000000005000: not mapped");
  expect(() => run("p nosuch")).toThrow('no symbol named "nosuch"');
  expect(() => run("p")).toThrow("usage: p");
  expect(() => run("p -xd 1")).toThrow("exclude each other");
  expect(() => run("p *(void **)&pointer + x")).toThrow();
});

test("JSON", () => {
  const { values } = JSON.parse(jsonChunks(result("p ticks")).join(""));
  expect(values).toMatchObject([{ label: "ticks", value: { kind: "integer", value: 42 }, address: "0xffffffff82000040" }]);
});

test("formats are gdb's, and name no symbol", () => {
  const value = (line: string) =>
    run(line)
      .join("\n")
      .replace(/^\$\d+ = /, "");
  expect(value("p/x ticks")).toBe("0x2a");
  expect(value("p/t ticks")).toBe("101010");
  expect(value("p/o ticks")).toBe("052");
  expect(value("p/c ticks")).toBe("42 '*'");
  expect(value("p /z ticks")).toBe("0x000000000000002a");
  expect(value("print/d -1")).toBe("-1");
  expect(value("p/u -1")).toBe("4294967295");
  expect(value("p/x banner")).toMatch(/^\{0x4c, 0x69, 0x6e, /);
  expect(value("p/s banner")).toBe('"Linux version 6.1\\n"');
  expect(value("p/a head.next")).toBe("0xffff888000001008");
  expect(value("p/a (long)run_it + 4")).toBe("0xffffffff81000014 <run_it+4>");
  expect(value("p/f 1.5")).toBe("1.5");
  expect(value("p/x 2.9")).toBe("0x2");
  expect(value("p/x head")).toBe("{\n  next = 0xffff888000001008,\n  prev = 0xffff888000001088\n}");
  expect(() => run("p/2x ticks")).toThrow("a count is for x");
  expect(() => run("p/xg ticks")).toThrow("a unit is for x");
  expect(() => run("p/i ticks")).toThrow("x/i or dis");
  expect(() => run("p/q ticks")).toThrow('"q" is no format');
});

test("print has no symbol's name, output neither name nor number", () => {
  expect(run("print ticks")[0]).toMatch(/^\$\d+ = 42$/);
  expect(run("output ticks")).toEqual(["42"]);
  expect(run("gdb p ticks")[0]).toMatch(/^\$\d+ = 42$/);
  expect(run("gdb output/x ticks")).toEqual(["0x2a"]);
  expect(run("gdb whatis head.next")).toEqual(["type = struct list_head *"]);
  expect(() => run("gdb nosuch")).toThrow('no command "nosuch" of its');
  expect(() => run("gdb gdb p 1")).toThrow("one prefix is enough");
});

test("convenience variables stay, what was never set is void", () => {
  expect(run("p $n = ticks + 1")[0]).toMatch(/= 43$/);
  expect(run("p $n * 2")[0]).toMatch(/= 86$/);
  expect(run("p $other")[0]).toMatch(/= void$/);
});

test("per-CPU copies within expressions", () => {
  expect(run("p per_cpu(counter, 1) * 2")[0]).toMatch(/= 12$/);
  expect(() => run("p nosuch:0")).toThrow('no symbol named "nosuch"');
  expect(run("p boxes.id:a").map((line) => line.replace(/\$\d+/, "$"))).toEqual([
    "per_cpu(boxes, 0).id = $ = 8",
    "per_cpu(boxes, 1).id = $ = 9",
  ]);
});

test("strings and slices", () => {
  expect(run('p "a\\tb"')[0]).toMatch(/= "a\\tb"$/);
  expect(run("p banner[0..4]")[0]).toMatch(/= "Linux"$/);
});

test("a name that several symbols have is told", () => {
  const { session, run } = printSession();
  const { symbols } = session.kernel;
  Object.defineProperty(symbols, "allByName", { value: (name: string) => (name === "ticks" ? [symbols.at(0), symbols.at(1)] : []) });
  const note = "  (2 symbols are named ticks; this is the one at ffffffff82000040: sym ticks lists them, p *(TYPE *)ADDRESS chooses)";
  expect(run("p ticks")).toEqual(["ticks = $1 = 42", note]);
  expect(run("p &ticks")[1]).toBe(note);
  expect(run("p ticks + 1")[1]).toBe(note);
  expect(run("p head.next")).toHaveLength(1);
  expect(run("p (long)head.next")).toHaveLength(1);
});
