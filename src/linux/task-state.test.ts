import { describe, expect, test } from "vitest";
import { policyName, policyNumber } from "./scheduler-policy.ts";
import { taintFlags, taintLetters } from "./taint.ts";
import { procLetter, stateLetters, stateNames } from "./task-state.ts";

describe("task states", () => {
  test.each([
    [0, 0, "RU", "R", "TASK_RUNNING"],
    [0x1, 0, "IN", "S", "TASK_INTERRUPTIBLE"],
    [0x2001, 0, "IN", "S", "TASK_INTERRUPTIBLE|TASK_FREEZABLE"],
    [0x2, 0, "UN", "D", "TASK_UNINTERRUPTIBLE"],
    [0x102, 0, "UN", "D", "TASK_UNINTERRUPTIBLE|TASK_WAKEKILL"],
    [0x402, 0, "ID", "I", "TASK_UNINTERRUPTIBLE|TASK_NOLOAD"],
    [0x104, 0, "ST", "T", "TASK_STOPPED|TASK_WAKEKILL"],
    [0x8, 0, "TR", "t", "TASK_TRACED"],
    [0x40, 0, "PA", "P", "TASK_PARKED"],
    [0x800, 0, "NE", "R", "TASK_NEW"],
    [0x1000, 0, "UN", "D", "TASK_RTLOCK_WAIT"],
    [0x8000, 0, "UN", "D", "TASK_FROZEN"],
    [0x80, 0x20, "ZO", "Z", "EXIT_ZOMBIE|TASK_DEAD"],
    [0x80, 0x10, "DE", "X", "EXIT_DEAD|TASK_DEAD"],
    [0x10000, 0, "??", "?", "0x10000"],
  ])("state %i with exit state %i", (state, exit, letters, letter, names) => {
    expect(stateLetters(state, exit)).toBe(letters);
    expect(procLetter(state, exit)).toBe(letter);
    expect(stateNames(state, exit)).toBe(names);
  });
});

describe("policies", () => {
  test("by number, short name, name with and without SCHED_", () => {
    expect([0, 1, 6, 7, 42].map(policyName)).toEqual(["NORMAL", "FIFO", "DEADLINE", "EXT", "42"]);
    expect(["NORMAL", "sched_fifo", "other", "DL", "5"].map(policyNumber)).toEqual([0, 1, 0, 6, 5]);
    expect(policyNumber("fast")).toBeUndefined();
  });
});

describe("taint", () => {
  test("letters by bit, unknown bits by number", () => {
    expect(taintLetters(0n)).toBe("");
    expect(taintLetters(0x3080n)).toBe("DOE");
    expect(taintLetters((1n << 30n) | 1n)).toBe("P[30]");
    expect(taintFlags(0x200n).map(({ letter }) => letter)).toEqual(["W"]);
  });
});
