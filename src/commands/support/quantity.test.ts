import { expect, test } from "vitest";
import { quantity } from "./quantity.ts";

test("a number as long as it is exact, then its digits", () => {
  expect(quantity(0n)).toBe(0);
  expect(quantity(-(2n ** 53n) + 1n)).toBe(-9007199254740991);
  // 104.25 days in nanoseconds, and 1 more.
  expect(quantity(2n ** 53n + 1n)).toBe("9007199254740993");
});
