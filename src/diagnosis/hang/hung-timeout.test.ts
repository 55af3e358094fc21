import { expect, test } from "vitest";
import { reportedTimeout } from "./hung-timeout.ts";

test("the timeout by what khungtaskd said first of a task", () => {
  const lines = [
    "INFO: task kworker/u4:1:29 blocked for more than 241 seconds.",
    "INFO: task tape arm:104 blocked for more than 120 seconds.",
  ];
  expect(reportedTimeout(lines)).toBe(120);
  expect(reportedTimeout(["a task blocked for more than 3 seconds"])).toBeUndefined();
  expect(reportedTimeout([])).toBeUndefined();
});
