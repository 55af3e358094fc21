/** Whatever is typed, the answer is a value or one clear error. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { InquestError } from "../../bytes/errors.ts";
import { array, INT, pointerTo, SparseMemory, smallKernel, struct, typedef, ULONG } from "../testing/small-kernel.ts";
import { evaluateExpression } from "./evaluate.ts";
import { kernelScope } from "./scope.ts";

const BASE = 0xffff800000001000n;
const node: ReturnType<typeof struct> = struct("node", [
  ["next", pointerTo(() => node)],
  ["bits", INT, 3],
  ["list", array(INT, 4)],
]);
const kernel = smallKernel({
  memory: new SparseMemory().put(BASE, BASE),
  types: [node, typedef("node_t", node)],
  symbols: { first: [BASE, "D"], count: [BASE + 64n, "D"], mystery: [BASE + 72n, "d"] },
  variables: { first: node, count: ULONG },
});

function outcome(text: string): "value" | "error" {
  try {
    const value = evaluateExpression(text, kernelScope(kernel));
    if (value.type.kind === "int" || value.type.kind === "pointer") value.bigint();
    return "value";
  } catch (error) {
    if (!(error instanceof InquestError)) throw error;
    expect(error.message).not.toBe("");
    expect(error.message).not.toContain("\n");
    return "error";
  }
}

const WORDS =
  "first count mystery node_t struct node int unsigned long char sizeof -> . [ ] ( ) { } * & + - / % << >> < == != && || ! ~ ? : , @ = 0 1 7 0xffffffffffffffff 'a' $ $1 $$ next bits list ffff800000001000";

test("tokens in any order", () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...WORDS.split(" ")), { maxLength: 14 }), (words) => {
      outcome(words.join(" "));
    }),
    { numRuns: 3000 },
  );
});

test("any text", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 60 }), (text) => {
      outcome(text);
    }),
    { numRuns: 1000 },
  );
});

test("long chains end in bounded depth", () => {
  for (const part of ["(", "-", "*", "&", "!", "sizeof ", "1?", "(int)", "first.", "first->next", "1+", "first[", "{int}"])
    outcome(part.repeat(700));
  expect(outcome(`first${".next".repeat(100)}.bits`)).toBe("value");
});
