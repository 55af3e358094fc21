import { expect, test } from "vitest";
import { sleepsHung } from "./hung.ts";
import { task } from "./testing/made.ts";

test("hangs as khungtaskd counts it", () => {
  expect(sleepsHung(task({ state: 0x2 }))).toBe(true);
  // TASK_UNINTERRUPTIBLE | TASK_FREEZABLE.
  expect(sleepsHung(task({ state: 0x2002 }))).toBe(true);
  // TASK_IDLE, TASK_KILLABLE, TASK_INTERRUPTIBLE, on a CPU, dead.
  expect(sleepsHung(task({ state: 0x402 }))).toBe(false);
  expect(sleepsHung(task({ state: 0x102 }))).toBe(false);
  expect(sleepsHung(task({ state: 0x1 }))).toBe(false);
  expect(sleepsHung(task({ active: true }))).toBe(false);
  expect(sleepsHung(task({ exitState: 0x20 }))).toBe(false);
});
