import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FaultError, UsageError } from "../../bytes/errors.ts";
import { Interrupted } from "./interrupt.ts";
import { errorText } from "./report-error.ts";
import { sanitize } from "./sanitize.ts";

describe("text on a terminal", () => {
  it("shows what a terminal would obey", () => {
    expect(sanitize("a\tb\nc")).toBe("a\tb\nc");
    expect(sanitize("\x1b[31mred\x07\x9b2J\x7f\r")).toBe("\\x1b[31mred\\x07\\x9b2J\\x7f\\x0d");
    expect(sanitize("user\u202egnp.exe\u2066\u2028")).toBe("user\\u202egnp.exe\\u2066\\u2028");
    expect(sanitize("höher → 日本")).toBe("höher → 日本");
  });

  it("leaves no control character in any text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        expect(sanitize(text)).not.toMatch(/[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/);
      }),
    );
  });
});

describe("errors as one line", () => {
  it("names the command once", () => {
    expect(errorText("rd", new FaultError(0x10n, "virtual", "unmapped"))).toBe("rd: virtual address 0000000000000010: not mapped");
    expect(errorText("bt", new UsageError("bt: invalid option"))).toBe("bt: invalid option");
    expect(errorText("bt", new UsageError("line\n  break \x1b"))).toBe("bt: line break \\x1b");
    expect(errorText("bt", new Interrupted())).toBe("bt: interrupted");
  });

  it("shows the stack of a bug only on request", () => {
    const bug = new TypeError("x is not a function");
    expect(errorText("bt", bug, false)).toMatch(/^bt: internal error: TypeError: x is not a function; please report it[^\n]*$/);
    expect(errorText("bt", bug, true)).toContain("text-safety.test.ts");
  });
});
