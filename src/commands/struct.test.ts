import { describe, expect, test } from "vitest";
import { jsonChunks } from "./json.ts";
import { HEAD, NODES, printSession } from "./testing/print-session.ts";

const { run, result, memory, session } = printSession();
const at = NODES[0].toString(16);

describe("definitions", () => {
  test("struct, union's error, *, members, offsets", () => {
    expect(run("struct list_head")).toEqual([
      "struct list_head {",
      "    struct list_head *next;",
      "    struct list_head *prev;",
      "}",
      "SIZE: 16",
    ]);
    expect(run("* list_head -o")[1]).toBe("   [0] struct list_head *next;");
    expect(run("struct node.link.prev,id -x")).toEqual(["struct node {", "  [0x10] struct list_head *link.prev;", "   [0x0] int id;", "}"]);
    expect(() => run("union list_head")).toThrow("list_head is a struct");
  });

  test("as data", () => {
    expect(result("struct node.link")).toMatchObject({
      kind: "struct",
      name: "node",
      size: 40,
      definition: { members: [{ name: "link", offset: 8, type: "struct list_head" }] },
    });
  });
});

describe("objects", () => {
  test("whole, by symbol and by address", () => {
    expect(run("struct list_head head")).toEqual([
      "struct list_head {",
      "  next = 0xffff888000001008,",
      "  prev = 0xffff888000001088",
      "}",
    ]);
    expect(run(`node ${at}`)).toEqual([
      "struct node {",
      "  id = 1,",
      "  mode = OFF,",
      "  link = {",
      "    next = 0xffff888000001048,",
      "    prev = 0xffffffff82000100 <head>",
      "  },",
      '  name = "n0\\000\\000\\000\\000\\000",',
      "  peer = 0xffff888000001040",
      "}",
    ]);
  });

  test("members, one after another, in the radix", () => {
    expect(run(`struct node.id,mode,link.next ${at}`)).toEqual(["  id = 1,", "  mode = OFF,", "  link.next = 0xffff888000001048,"]);
    expect(run(`struct node.id -x ${(NODES[2]).toString(16)}`)).toEqual(["  id = 0x3,"]);
    session.settings.radix = 16;
    expect(run(`struct node.id ${at}`)).toEqual(["  id = 0x1,"]);
    expect(run(`struct node.id -d ${at}`)).toEqual(["  id = 1,"]);
    session.settings.radix = 10;
  });

  test("arrays, also those that end with the address", () => {
    expect(run(`struct list_head.next ${(NODES[0] + 8n).toString(16)} 2`)).toEqual([
      "  next = 0xffff888000001048,",
      "",
      "  next = 0x306e,",
    ]);
    expect(run(`struct list_head.next -c -2 ${(HEAD + 16n).toString(16)}`)).toEqual(["  next = 0xffff888000001008,", "", "  next = 0x0,"]);
    expect(run(`struct list_head.next ${(HEAD + 16n).toString(16)} -2`)).toHaveLength(3);
  });

  test("-l goes back from a member", () => {
    expect(run(`struct node.id -l node.link ${(NODES[1] + 8n).toString(16)}`)).toEqual(["  id = 2,"]);
    expect(run(`struct node.id -l 8 ${(NODES[1] + 8n).toString(16)}`)).toEqual(["  id = 2,"]);
  });

  test("-o with an address, -r", () => {
    expect(run("struct list_head -o head")).toEqual([
      "struct list_head {",
      "  [ffffffff82000100] struct list_head *next;",
      "  [ffffffff82000108] struct list_head *prev;",
      "}",
      "SIZE: 16",
    ]);
    expect(run("struct list_head -r head")).toEqual(["ffffffff82000100:  ffff888000001008 ffff888000001088   ................"]);
  });

  test("-p follows a pointer", () => {
    expect(run(`struct node.peer,id,name -p ${NODES[1].toString(16)}`)).toEqual([
      "  struct node *peer = 0xffff888000001080",
      "  -> {",
      "       id = 3,",
      "       mode = OFF,",
      "       link = {",
      "         next = 0xffffffff82000100 <head>,",
      "         prev = 0xffff888000001048",
      "       },",
      '       name = "n2\\000\\000\\000\\000\\000",',
      "       peer = 0x0",
      "     }",
      "  id = 2,",
      '  name = "n1\\000\\000\\000\\000\\000",',
    ]);
    expect(run(`struct node.peer -p ${NODES[2].toString(16)}`)).toEqual(["  struct node *peer = 0x0", "  -> NULL"]);
    expect(run("struct list_head -p head")[0]).toBe("struct list_head {");
    expect(run("struct list_head -p head").slice(1, 3)).toEqual(["  struct list_head *next = 0xffff888000001008", "  -> {"]);
  });

  test("per-CPU", () => {
    memory.put(0xffff88800f600020n, 1, 4).put(0xffff88800f700020n, 2, 4);
    expect(run("struct node.id 20:a")).toEqual(["[0]: ffff88800f600020", "  id = 1,", "[1]: ffff88800f700020", "  id = 2,"]);
    expect(run("struct node.id counter:1")).toEqual(["[1]: ffff88800f700010", "  id = 6,"]);
    expect(() => run("struct node.id counter")).toThrow("counter is per-CPU: say which CPU's: counter:0");
    expect(() => run("struct node counter:7")).toThrow("CPU 7 does not exist");
  });
});

describe("what cannot be", () => {
  test.each([
    ["struct", "usage: struct"],
    ["struct nod", 'no struct named "nod"'],
    ["struct node.nam", "nearest: name"],
    ["struct node 5000", "not mapped"],
    ["struct node.id 5000", "not mapped"],
    ["struct node.id,name 5000", "not mapped"],
    ["struct node -r 5000", "not mapped"],
    ["struct node nosuch", 'no symbol named "nosuch"'],
    [`struct node ${at} 0`, "0 is no number of structures"],
    [`struct node ${at} 1 2`, '"2" is one word too many'],
    [`struct node -f ${at}`, "-f (an offset in the dump file) is for ELF dumps"],
    [`struct node -x -d ${at}`, "-x and -d exclude each other"],
  ])("%s", (line, message) => {
    expect(() => run(line)).toThrow(message);
  });

  test("an array that runs out of memory shows what is there", () => {
    const lines = run(`struct list_head.next ${(0xffff888000001ff0n).toString(16)} 2`);
    expect(lines).toEqual(["  next = 0x0,", "", "  next = <unreadable: not mapped>,"]);
  });
});

test("JSON: an object is a tree", () => {
  expect(JSON.parse(jsonChunks(result(`struct node.mode ${at}`)).join(""))).toEqual({
    kind: "struct",
    name: "node",
    size: 40,
    objects: [
      { address: "0xffff888000001000", members: [{ path: "mode", value: { kind: "enum", type: "enum mode", value: 0, names: ["OFF"] } }] },
    ],
  });
});
