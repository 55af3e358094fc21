import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { evaluate, parseNumber } from "./evaluate.ts";

const decimal = (text: string) =>
  evaluate(text, { radix: 10, symbol: (name) => (name === "jiffies" || name === "face" ? 0x100n : undefined) });

describe("expressions", () => {
  it("follows C's precedence", () => {
    expect(decimal("1 + 2 * 3")).toBe(7n);
    expect(decimal("(1 + 2) * 3")).toBe(9n);
    expect(decimal("1 << 4 | 3 & 2 ^ 1")).toBe((1n << 4n) | ((3n & 2n) ^ 1n));
    expect(decimal("10 - 3 - 2")).toBe(5n);
    expect(decimal("-4 + ~0")).toBe(-5n);
    expect(decimal("100 / 7 % 4")).toBe(2n);
  });

  it("agrees with JavaScript on sums and products", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.constantFrom("+", "-", "*"), fc.nat(1000)), { maxLength: 8 }), fc.nat(1000), (rest, first) => {
        const text = [String(first), ...rest.flatMap(([operator, n]) => [operator, String(n)])].join(" ");
        const exact = Function(`return ${text.replace(/\d+/g, "$&n")}`)() as bigint;
        expect(decimal(text)).toBe(exact);
      }),
    );
  });

  it("reads numbers as crash does", () => {
    expect(parseNumber("10", 10)).toBe(10n);
    expect(parseNumber("10", 16)).toBe(16n);
    expect(parseNumber("0x10", 10)).toBe(16n);
    expect(parseNumber("1a", 10)).toBe(26n);
    expect(parseNumber("4k", 10)).toBe(4096n);
    expect(parseNumber("2GB", 10)).toBe(2n << 30n);
    expect(parseNumber("10m", 16)).toBe(10n << 20n);
    expect(parseNumber("xyz", 16)).toBeUndefined();
    expect(parseNumber("f".repeat(65), 16)).toBeUndefined();
  });

  it("knows symbols, which win over letters that look hexadecimal", () => {
    expect(decimal("jiffies + 8")).toBe(0x108n);
    expect(decimal("face")).toBe(0x100n);
    expect(decimal("faced")).toBe(0xfacedn);
    expect(() => decimal("nosuch")).toThrow('"nosuch" is neither a number nor a symbol');
  });

  it("says what is wrong", () => {
    expect(() => decimal("1 +")).toThrow("it ends too early");
    expect(() => decimal("1 2")).toThrow('"2" is not expected there');
    expect(() => decimal("(1")).toThrow("it ends too early");
    expect(() => decimal("1 $ 2")).toThrow();
    expect(() => decimal("1 / 0")).toThrow("divides by zero");
    expect(() => decimal("1 << 100000")).toThrow("a shift is by 0 to 127 bits");
    expect(() => decimal("(".repeat(100000))).toThrow("nested too deeply");
  });
});
