import { expect, test } from "vitest";
import { parseExpression } from "./parser.ts";
import type { Expression, PathStep, TypeName } from "./syntax-tree.ts";

const types = new Set(["u8", "pid_t"]);
const parse = (text: string) => parseExpression(text, { isTypeName: (name) => types.has(name) });

/** The tree with all its brackets. */
function show(node: Expression): string {
  switch (node.kind) {
    case "number":
    case "character":
      return node.value.toString();
    case "name":
      return node.name;
    case "history":
      return node.text;
    case "unary":
      return `(${node.operator}${show(node.operand)})`;
    case "binary":
      return `(${show(node.left)} ${node.operator} ${show(node.right)})`;
    case "conditional":
      return `(${show(node.test)} ? ${show(node.yes)} : ${show(node.no)})`;
    case "member":
      return `${show(node.base)}.${node.name}`;
    case "index":
      return `${show(node.base)}[${show(node.index)}]`;
    case "cast":
      return `<${type(node.type)}>${show(node.operand)}`;
    case "sizeofType":
      return `sizeof<${type(node.type)}>`;
    case "sizeof":
      return `sizeof ${show(node.operand)}`;
    case "float":
      return `${node.value}${node.single ? "f" : ""}`;
    case "string":
      return JSON.stringify(node.content);
    case "static":
      return `${"file" in node.within ? `'${node.within.file}'` : node.within.function}::${node.name}`;
    case "assign":
      return `(${node.name} = ${show(node.value)})`;
    case "slice":
      return `${show(node.base)}[${show(node.first)}..${show(node.last)}]`;
    case "offsetof":
      return `offsetof<${type(node.type)}>${path(node.path)}`;
    case "containerOf":
      return `container<${type(node.type)}>${path(node.path)}(${show(node.pointer)})`;
    case "perCpu":
      return `${node.accessor}(${show(node.variable)}; ${show(node.cpu)})`;
  }
}

const type = ({ text, of }: TypeName): string => (of === undefined ? text : `typeof ${show(of)}|${text}`);
const path = (steps: readonly PathStep[]): string =>
  steps.map((step) => ("member" in step ? `.${step.member}` : `[${show(step.index)}]`)).join("");

test.each([
  ["1 + 2 * 3", "(1 + (2 * 3))"],
  ["1 - 2 - 3", "((1 - 2) - 3)"],
  ["a | b ^ c & d == e < f << g + h * i", "(a | (b ^ (c & (d == (e < (f << (g + (h * i))))))))"],
  ["a && b || c && d", "((a && b) || (c && d))"],
  ["a ? b : c ? d : e", "(a ? b : (c ? d : e))"],
  ["*a.b->c[1].d", "(*a.b.c[1].d)"],
  ["&a[2]", "(&a[2])"],
  ["-~!a", "(-(~(!a)))"],
  ["(u8)1 + 2", "(<u8>1 + 2)"],
  ["(struct list_head *)0x10", "<struct list_head *>16"],
  ["((struct list_head *)a)->next", "<struct list_head *>a.next"],
  ["(unsigned long)a - b", "(<unsigned long>a - b)"],
  ["(void (*)(int))a", "<void (*)(int)>a"],
  ["(a)", "a"],
  ["(a) + 1", "(a + 1)"],
  ["sizeof(struct page)", "sizeof<struct page>"],
  ["sizeof(u8) * 2", "(sizeof<u8> * 2)"],
  ["sizeof(a) + 1", "(sizeof a + 1)"],
  ["sizeof a.b", "sizeof a.b"],
  ["*a@3 + 1", "((*a) @ (3 + 1))"],
  ["{struct page} 16", "(*<struct page *>16)"],
  ["a, b", "(a , b)"],
  ["__already_done.16", "__already_done.16"],
  ["$ - $$2", "($ - $$2)"],
  ["1.5 + 2", "(1.5 + 2)"],
  ['sizeof("ab")', 'sizeof "ab"'],
  ["$x = $y = a ? 1 : 2", "($x = ($y = (a ? 1 : 2)))"],
  ["a[2..b+1]", "a[2..(b + 1)]"],
  ["*a.b[1..2]", "(*a.b[1..2])"],
  ["'fs/read_write.c'::x.y", "'fs/read_write.c'::x.y"],
  ["run::count + 1", "(run::count + 1)"],
  ["offsetof(struct x, a.b[2].c) + 1", "(offsetof<struct x>.a.b[2].c + 1)"],
  ["container_of(p->next, struct x, list)->id", "container<struct x>.list(p.next).id"],
  ["list_entry(p, u8, a)", "container<u8>.a(p)"],
  ["(typeof(a.b) *)c", "<typeof a.b|*>c"],
  ["(typeof(u8) *)c", "<u8 *>c"],
  ["sizeof(typeof(a))", "sizeof<typeof a|>"],
  ["per_cpu(rq, 1).cfs", "per_cpu(rq; 1).cfs"],
  ["per_cpu_ptr(&rq, 1)->cfs", "per_cpu_ptr((&rq); 1).cfs"],
])("%s", (text, tree) => {
  expect(show(parse(text))).toBe(tree);
});

test.each([
  ["", "an expression is missing"],
  ["1 +", "column 4: a value is expected"],
  ["(1", 'column 3: ")" is expected, and the expression ends'],
  ["a b", 'column 3: "b" is not expected here'],
  ["a = 1", "column 3: a dump cannot be changed"],
  ["f(1)", "column 2: functions of a dead kernel cannot be called"],
  ["a.", "column 3: a member's name is expected"],
  ["$a + 1 = 2", "column 8: a dump cannot be changed"],
  ["a[1..2", 'column 7: "]" is expected'],
  ["1::x", "column 2: a function's name or a 'file' is expected"],
  ["'fs/x.c'", 'column 9: "::" is expected'],
  ["f::1", "column 4: a variable's name is expected"],
  ["offsetof(struct x)", 'column 19: "," is expected after the type'],
  ["offsetof(struct x, 1)", "column 20: a member's name is expected"],
  ["container_of(a, struct x)", 'column 26: "," is expected after the type'],
  ["(struct x", 'column 10: ")" is expected after the type'],
  [")", 'column 1: ")" is not expected here'],
])("error in %j", (text, message) => {
  expect(() => parse(text)).toThrow(message);
});

test("nesting is bounded", () => {
  expect(() => parse(`${"(".repeat(5000)}1`)).toThrow("nested too deeply");
  expect(() => parse(`${"-".repeat(5000)}1`)).toThrow("nested too deeply");
  expect(() => parse(`${"1+".repeat(4900)}1`)).toThrow("more than 1000 operators");
  expect(() => parse(`${"1+".repeat(400)}1`)).not.toThrow();
});
