import { describe, expect, test } from "vitest";
import { NODES, printSession } from "../testing/print-session.ts";
import { addressTargets, chosenCpus } from "./address-operand.ts";

const { session } = printSession();

test("an address, a symbol, an expression", () => {
  expect(addressTargets(session, NODES[0].toString(16))).toEqual([{ address: NODES[0] }]);
  expect(addressTargets(session, "head")).toEqual([{ address: 0xffffffff82000100n }]);
  expect(addressTargets(session, "(head + 8)")).toEqual([{ address: 0xffffffff82000108n }]);
});

test("CPUs after a colon", () => {
  expect(addressTargets(session, "counter:0-1")).toEqual([
    { cpu: 0, address: 0xffff88800f600010n },
    { cpu: 1, address: 0xffff88800f700010n },
  ]);
  // A per-CPU pointer is a plain number.
  expect(addressTargets(session, "10:1")).toEqual([{ cpu: 1, address: 0xffff88800f700010n }]);
  expect(chosenCpus(session, "a")).toEqual([0, 1]);
});

describe("errors", () => {
  test.each([
    ["counter", "counter is per-CPU: say which CPU's: counter:0"],
    ["counter:9", "CPU 9 does not exist"],
    ["nosuch:0", 'no symbol named "nosuch"'],
  ])("%s", (text, message) => {
    expect(() => addressTargets(session, text)).toThrow(message);
  });
});
