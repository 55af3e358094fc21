import { expect, test } from "vitest";
import { array, CHAR, INT, LONG, pointerTo, struct, typedef, U8, UINT, union } from "../kernel/testing/small-kernel.ts";
import { layoutLines } from "./support/type-layout.ts";
import { printSession } from "./testing/print-session.ts";

const { run } = printSession();

test.each([
  ["ptype int", ["type = int"]],
  ["ptype count_t", ["type = int"]],
  ["ptype struct list_head *", ["type = struct list_head {", "    struct list_head *next;", "    struct list_head *prev;", "} *"]],
  ["ptype head.next->prev", ["type = struct list_head {", "    struct list_head *next;", "    struct list_head *prev;", "} *"]],
  ["ptype list_head", ["type = struct list_head {", "    struct list_head *next;", "    struct list_head *prev;", "}"]],
  ["ptype run_it", ["type = long (struct node *, int)"]],
  ["ptype enum mode", ["type = enum mode {OFF, ON}"]],
  ["ptype ticks + 1", ["type = unsigned long"]],
  ["ptype typeof(head.next)", ["type = struct list_head {", "    struct list_head *next;", "    struct list_head *prev;", "} *"]],
])("%s", (line, text) => {
  expect(run(line)).toEqual(text);
});

test("errors name the nearest", () => {
  expect(() => run("ptype struct list_hea")).toThrow("no struct");
  expect(() => run("ptype struct list_hea")).toThrow("nearest: list_head");
  expect(() => run("ptype nosuch")).toThrow('no symbol named "nosuch"');
  expect(() => run("ptype pointer")).toThrow("not known without a vmlinux");
  expect(() => run("ptype/q int")).toThrow('"q" is no flag of ptype');
  expect(() => run("ptype")).toThrow("usage: ptype");
});

test("/o: offsets, sizes, holes, padding, unions, bitfields", () => {
  const inner = struct("inner", [
    ["a", U8],
    ["b", INT],
  ]);
  const type = struct("outer", [
    ["flag", UINT, 1],
    ["rest", UINT, 3],
    ["far", LONG],
    ["in", inner],
    [
      undefined,
      union(undefined, [
        ["one", INT],
        ["two", pointerTo(INT)],
      ]),
    ],
    ["names", array(CHAR, 3)],
    ["aliased", typedef("inner_t", inner)],
  ]);
  expect(layoutLines(type, 10)).toEqual([
    "/* offset      |    size */  type = struct outer {",
    "/*      0: 0   |       4 */    unsigned int flag : 1;",
    "/*      0: 1   |       4 */    unsigned int rest : 3;",
    "/* XXX  4-bit hole       */",
    "/* XXX  7-byte hole      */",
    "/*      8      |       8 */    long far;",
    "/*     16      |       8 */    struct inner {",
    "/*     16      |       1 */        unsigned char a;",
    "/* XXX  3-byte hole      */",
    "/*     20      |       4 */        int b;",
    "",
    "                                   /* total size (bytes):    8 */",
    "                               } in;",
    "/*     24      |       8 */    union {",
    "/*                     4 */        int one;",
    "/*                     8 */        int *two;",
    "",
    "                                   /* total size (bytes):    8 */",
    "                               };",
    "/*     32      |       3 */    char names[3];",
    "/* XXX  1-byte hole      */",
    "/*     36      |       8 */    inner_t aliased;",
    "/* XXX  4-byte padding   */",
    "",
    "                               /* total size (bytes):   48 */",
    "                             }",
  ]);
  expect(run("ptype/ox struct list_head")[1]).toBe("/* 0x0000      |  0x0008 */    struct list_head *next;");
});
