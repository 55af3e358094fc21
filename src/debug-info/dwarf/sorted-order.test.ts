import { expect, it } from "vitest";
import { Random } from "../../bytes/testing/random.ts";
import { sortedOrder } from "./sorted-order.ts";

it.each([
  ["close together, below zero", -0x7f00_0000, 1 << 20],
  ["with many that are equal", -5, 10],
  ["too far apart for one number", -(2 ** 52), 2 ** 52],
])("orders keys %s, equal ones as they come", (_name, least, span) => {
  const random = new Random(2);
  const keys = Float64Array.from({ length: 500 }, () => least + random.below(span));
  const expected = [...keys.keys()].sort((a, b) => keys[a]! - keys[b]! || a - b);
  expect([...sortedOrder(keys)]).toEqual(expected);
  expect([...sortedOrder([])]).toEqual([]);
});
