import { expect, test } from "vitest";
import { type Expression, parseExpression } from "./parser.ts";

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
      return `<${node.type}>${show(node.operand)}`;
    case "sizeofType":
      return `sizeof<${node.type}>`;
    case "sizeof":
      return `sizeof ${show(node.operand)}`;
  }
}

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
  ["1.5", "column 1: floating-point numbers are not supported"],
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
