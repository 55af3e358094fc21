import { expect, it } from "vitest";
import { operandText } from "./operand-text.ts";

it("writes operands as binutils does", () => {
  const memory = {
    kind: "memory",
    segment: undefined,
    base: "rbx",
    index: undefined,
    scale: 1,
    displacement: -8n,
    size: 8,
    access: "read",
    writeback: undefined,
  } as const;
  expect(operandText("x86_64", memory)).toBe("-0x8(%rbx)");
  expect(operandText("x86_64", { ...memory, index: "rcx", scale: 8, displacement: 0n })).toBe("(%rbx,%rcx,8)");
  expect(operandText("x86_64", { ...memory, base: undefined, segment: "gs", displacement: 0x1fb80n })).toBe("%gs:0x1fb80");
  expect(operandText("aarch64", { ...memory, base: "x1", displacement: 16n, writeback: "pre" })).toBe("[x1, #16]!");
  expect(operandText("aarch64", { ...memory, base: "x1", displacement: 0n, writeback: "post", step: 16n })).toBe("[x1], #16");
  expect(operandText("aarch64", { ...memory, base: "x1", index: "x2", scale: 8, extend: "sxtw", displacement: 0n })).toBe(
    "[x1, x2, sxtw #3]",
  );
});
