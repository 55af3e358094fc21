import { expect, test } from "vitest";
import { INT, SparseMemory } from "../../kernel/testing/small-kernel.ts";
import { Value } from "../../kernel/value.ts";
import { valueHistory } from "./value-history.ts";

test("numbers run on within a session, and sessions are apart", () => {
  const value = new Value(new SparseMemory(), INT, { immediate: 1n });
  const [one, other] = [{}, {}];
  expect([valueHistory(one).add(value), valueHistory(one).add(value), valueHistory(other).add(value)]).toEqual([1, 2, 1]);
  expect(valueHistory(one).values).toHaveLength(2);
});
