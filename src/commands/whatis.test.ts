import { expect, test } from "vitest";
import { LookupError } from "../bytes/errors.ts";
import { smallKernel } from "../kernel/testing/small-kernel.ts";
import { createSession } from "./session.ts";
import { printSession } from "./testing/print-session.ts";

const { run, result } = printSession();

test.each([
  ["whatis count_t", ["typedef int count_t;", "SIZE: 4"]],
  ["whatis tally_t", ["typedef int tally_t;", "SIZE: 4"]],
  ["whatis mode", ["enum mode {", "  OFF = 0", "  ON = 1", "};"]],
  ["whatis enum mode", ["enum mode {", "  OFF = 0", "  ON = 1", "};"]],
  ["whatis ON", ["enum mode = 1"]],
  ["whatis run_it", ["long run_it(struct node *, int);"]],
  ["whatis ticks", ["unsigned long ticks;"]],
  ["whatis banner", ["const char banner[19];"]],
  ["whatis counter", ["int counter;"]],
  ["whatis head.next", ["struct list_head *"]],
  ["whatis struct node *", ["struct node *", "SIZE: 8"]],
  ["whatis unsigned long", ["unsigned long", "SIZE: 8"]],
  ["whatis -r 16", ["SIZE  TYPE", "  16  list_head"]],
  ["whatis -m list_head", ["SIZE  TYPE", "  16  list_head", "  40  node"]],
  ["whatis -r 32-64 -m struct list_head", ["SIZE  TYPE", "  40  node"]],
])("%s", (line, lines) => {
  expect(run(line)).toEqual(lines);
});

test("structures as struct shows them, by tag, typedef and with offsets", () => {
  expect(run("whatis list_head")).toEqual(run("struct list_head"));
  expect(run("whatis -o struct list_head")).toEqual(run("struct list_head -o"));
  expect(run("whatis node_t")).toEqual(run("node_t"));
});

test("data", () => {
  expect(result("whatis run_it")).toMatchObject({
    kind: "function",
    returns: "long",
    parameters: [{ type: "struct node *" }, { type: "int" }],
  });
  expect(result("whatis counter")).toMatchObject({ kind: "variable", perCpu: true, size: 4 });
});

test.each([
  ["whatis", "usage: whatis"],
  ["whatis nosuch", 'no symbol named "nosuch"'],
  ["whatis enum nosuch", 'no enum named "nosuch"'],
  ["whatis struct nosuch", 'no struct named "nosuch"'],
  ["whatis stop_it", "the prototype of the function stop_it is not known"],
  ["whatis pointer", "the type of the variable pointer is not known"],
  ["whatis -r 12345", "no structure of the kernel and its modules is like that"],
  ["whatis -r big", '"big" is no size'],
])("%s", (line, message) => {
  expect(() => run(line)).toThrow(message);
});

test("without types a name may be one of them: what is missing is said", () => {
  const bare = createSession(smallKernel({ types: [], symbols: { ticks: [4096n, "D"] } }));
  Object.defineProperty(bare.kernel.types, "lack", { value: new LookupError("structures are not known: the BTF cannot be read") });
  for (const line of ["whatis task_struct", "whatis enum pid_type", "whatis struct task_struct"])
    expect(() => bare.execute(line)).toThrow("structures are not known: the BTF cannot be read");
});

test("a source file keeps its quotes", () => {
  expect(() => run("whatis 'kernel/panic.c'::buf")).toThrow('which file or function "buf" belongs to is not known without a vmlinux');
  expect(() => run("whatis -o 'kernel/panic.c'::buf")).toThrow("is not known without a vmlinux");
  expect(run("whatis 'struct list_head'")).toEqual(run("whatis struct list_head"));
});
