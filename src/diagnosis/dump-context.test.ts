import { expect, test } from "vitest";
import { taintOfItself } from "./dump-context.ts";
import type { EventFamily, EventKind, LogEvent } from "./subject/log-events.ts";

const event = (family: EventFamily, kind: EventKind): LogEvent => ({ family, kind, text: kind, index: 0 });
const D = 1n << 7n;
const W = 1n << 9n;

test("an oops, a warning or a lockup is no taint of before when it is the matter itself", () => {
  expect(taintOfItself({ event: event("fault", "page fault"), fault: undefined, before: [] })).toBe(D);
  expect(taintOfItself({ event: event("corruption", "list"), fault: event("fault", "invalid opcode"), before: [] })).toBe(D);
  expect(taintOfItself({ event: event("warning", "warning"), fault: undefined, before: [] })).toBe(W);
  expect(taintOfItself({ event: event("stall", "soft lockup"), fault: undefined, before: [] })).toBe(1n << 14n);
  expect(taintOfItself({ event: undefined, fault: undefined, before: [] })).toBe(0n);
});

test("an earlier event of the kind keeps its flag", () => {
  const before = [{ event: event("warning", "warning"), why: "long before" }];
  expect(taintOfItself({ event: event("fault", "page fault"), fault: undefined, before })).toBe(D);
  expect(taintOfItself({ event: event("warning", "warning"), fault: undefined, before })).toBe(0n);
});
