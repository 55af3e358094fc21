import { describe, expect, test } from "vitest";
import { namesOfLongestPrefix } from "./longest-prefix.ts";

describe("namesOfLongestPrefix", () => {
  const names = ["panic", "panic_cpu", "panic_on_oops", "pagefault_enable", "sysrq_handle_crash"];
  let asked = 0;
  const find = (prefix: string) => {
    asked++;
    return names.filter((name) => name.startsWith(prefix));
  };

  test("those that share the longest prefix, of three characters at least", () => {
    expect(namesOfLongestPrefix("panic_on_warn", find)).toEqual(["panic_on_oops"]);
    expect(namesOfLongestPrefix("panik", find)).toEqual(["panic", "panic_cpu", "panic_on_oops"]);
    expect(namesOfLongestPrefix("pa", find)).toEqual([]);
    expect(namesOfLongestPrefix("zzzzzz", find)).toEqual([]);
  });

  test("a name as long as a file asks a few questions", () => {
    asked = 0;
    expect(namesOfLongestPrefix(`panic_on_${"x".repeat(1_000_000)}`, find)).toEqual(["panic_on_oops"]);
    expect(asked).toBeLessThan(12);
  });
});
