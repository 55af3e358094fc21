import { expect, test } from "vitest";
import { durationText, listed, oneName, sentence } from "./words.ts";

test("times grow coarser with their length", () => {
  expect([8.24, 760, 28772, 400_000].map(durationText)).toEqual(["8.2 s", "12 min 40 s", "7 h 59 min", "4 d 15 h"]);
});

test("of members that share a place the first is told, and nothing else is taken for one", () => {
  expect(oneName("writes struct sk_buff.prev|rbnode.rb_right with struct sk_buff.next|rbnode.__rb_parent_color = NULL")).toBe(
    "writes struct sk_buff.prev with struct sk_buff.next = NULL",
  );
  expect(oneName("log | grep x; a || b")).toBe("log | grep x; a || b");
});

test("a sentence has a capital and one full stop", () => {
  expect(sentence("it hangs")).toBe("It hangs.");
  expect(sentence("blocked for more than 3 seconds.")).toBe("Blocked for more than 3 seconds.");
  expect(sentence('it said "no"')).toBe('It said "no".');
  expect(sentence('it said "no."')).toBe('It said "no."');
  expect(listed(["a", "b", "c"])).toBe("a, b and c");
});
