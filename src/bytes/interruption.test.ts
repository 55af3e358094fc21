import { expect, it } from "vitest";
import { BusyMark, interruptions } from "./interruption.ts";

it("a mark is gone after an interruption", () => {
  const mark = new BusyMark();
  expect(mark.set).toBe(false);
  mark.begin();
  expect(mark.set).toBe(true);
  mark.end();
  expect(mark.set).toBe(false);
  mark.begin();
  interruptions.count++;
  expect(mark.set).toBe(false);
  mark.begin();
  expect(mark.set).toBe(true);
});
