import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { splitWords } from "./words.ts";

const texts = (line: string) => splitWords(line).map(({ text }) => text);

describe("words of a command line", () => {
  it("separates at blanks", () => {
    expect(texts("  -a\t1  2 ")).toEqual(["-a", "1", "2"]);
    expect(splitWords("  -a 1").map(({ start }) => start)).toEqual([2, 5]);
  });

  it("keeps a parenthesised expression together", () => {
    expect(texts("dis (schedule + (4 * 2)) 10")).toEqual(["dis", "(schedule + (4 * 2))", "10"]);
    expect(texts("a) b")).toEqual(["a)", "b"]);
  });

  it("removes quotes and remembers them", () => {
    expect(splitWords("ps 'kworker.*' \"a b\"")).toEqual([
      { text: "ps", quoted: false, start: 0 },
      { text: "kworker.*", quoted: true, start: 3 },
      { text: "a b", quoted: true, start: 15 },
    ]);
    expect(splitWords("x='a b'")).toEqual([{ text: "x=a b", quoted: false, start: 0 }]);
    expect(texts("it's")).toEqual(["it's"]);
    expect(splitWords("''")).toEqual([{ text: "", quoted: true, start: 0 }]);
  });

  it("refuses an open quote", () => {
    expect(() => splitWords("ps 'abc")).toThrow("the quote ' is not closed");
  });

  it("gives back any words without special characters", () => {
    fc.assert(
      fc.property(fc.array(fc.stringMatching(/^[\w.:,+-]{1,8}$/)), (words) => {
        expect(texts(words.join("  "))).toEqual(words);
      }),
    );
  });
});
