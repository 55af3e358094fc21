import { expect, test } from "vitest";
import { leadingSwitches } from "./leading-switches.ts";

test.each([
  ["-x jiffies", ["x"], "jiffies"],
  ["-xu  a + 1", ["x", "u"], "a + 1"],
  ["-d -u a", ["d", "u"], "a"],
  ["-1", [], "-1"],
  ["-a", [], "-a"],
  ["-xq a", [], "-xq a"],
  ["-x", ["x"], ""],
  ["a -x", [], "a -x"],
])("%s", (line, switches, rest) => {
  const found = leadingSwitches(line, "xdu");
  expect([[...found.switches], found.rest]).toEqual([switches, rest]);
});
