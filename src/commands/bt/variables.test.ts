import { expect, test } from "vitest";
import { virtual } from "../../bytes/address.ts";
import { type BtVariable, variableLines } from "./variables.ts";

function lines(...variables: Partial<BtVariable>[]): string[] {
  const whole = variables.map((each): BtVariable => ({ name: "x", kind: "local", type: "int", state: "known", value: null, ...each }));
  return [...variableLines(whole, 10)];
}

const five = { kind: "integer", type: "int", value: 5, size: 4, signed: true } as const;
const pointer = { kind: "pointer", type: "struct sock *", value: 0xffff888000001000n } as const;

test("a line each: value, then where it came from", () => {
  expect(lines({ value: five }, { value: pointer, state: "from caller" }, { value: five, state: "from caller", atEntry: true })).toEqual([
    "    x = 5",
    "    x = (struct sock *) 0xffff888000001000 (from caller)",
    "    x = 5 (from caller, at entry)",
  ]);
  expect(lines({ value: five, atEntry: true })).toEqual(["    x = 5 (at entry)"]);
});

test("what has no value says so, and why", () => {
  expect(
    lines({ state: "optimized out", reason: "f does not tell" }, { state: "unreadable", reason: "needs rbx" }, { state: "unreadable" }),
  ).toEqual(["    x = <optimized out>", "    x = <unreadable: needs rbx>", "    x = <unreadable>"]);
});

test("structures stand on one line, with holes, and are cut when long", () => {
  const hole = { kind: "unreadable", type: "int", address: virtual(0n), reason: "optimized out", message: "optimized out" } as const;
  const pair = {
    kind: "struct",
    type: "struct pair",
    members: [
      { name: "a", offset: 0, value: five },
      { name: "b", offset: 4, value: hole },
    ],
  } as const;
  const nested = {
    kind: "struct",
    type: "struct n",
    members: [
      { name: "p", offset: 0, value: pair },
      { name: "q", offset: 8, value: five },
    ],
  } as const;
  expect(lines({ value: pair }, { value: nested })).toEqual([
    "    x = {a = 5, b = <optimized out>}",
    "    x = {p = {a = 5, b = <optimized out>}, q = 5}",
  ]);
  const long = { kind: "array", type: "int [100]", length: 100, elements: Array.from({ length: 100 }, () => five) } as const;
  const [line = ""] = lines({ value: long });
  expect(line.length).toBeLessThan(180);
  expect(line).toMatch(/, 5 \.\.\.\}$|\d \.\.\.\}$|, \.\.\.\}$/);
});

test("a pointer to what has no address shows its target", () => {
  expect(
    lines({ type: "struct pair *", pointee: { kind: "struct", type: "struct pair", members: [{ name: "a", offset: 0, value: five }] } }),
  ).toEqual(["    x = (struct pair *) &{a = 5}"]);
});
