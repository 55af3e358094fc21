import { expect, test } from "vitest";
import { durationText } from "./lock/text.ts";
import { commandRegistry } from "./registry.ts";

test("ages read as a person says them", () => {
  expect([0.04, 9.94, 122.4, 601, 3599, 4 * 3600 + 120, 50 * 3600].map(durationText)).toEqual([
    "0.0 s",
    "9.9 s",
    "122 s",
    "10 min",
    "60 min",
    "4 h 02 min",
    "2 days 2 h",
  ]);
});

test.each(["lock", "blk", "dev", "sbitmapq"])("%s has help with examples, and says where it differs", (name) => {
  const command = commandRegistry.find(name);
  expect(command?.spec.examples?.length).toBeGreaterThan(0);
  expect(command?.spec.differences?.length).toBeGreaterThan(0);
});
