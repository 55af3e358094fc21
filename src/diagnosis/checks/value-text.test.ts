import { expect, it } from "vitest";
import { constantText, valueText } from "./value-text.ts";

const int = { size: 4, isPointer: false, isSigned: true } as const;
const unsigned = { size: 4, isPointer: false, isSigned: false } as const;
const pointer = { size: 8, isPointer: true, isSigned: false } as const;

it("values that were read", () => {
  expect(valueText(0xffff_fffen, int)).toBe("-2");
  expect(valueText(0xffff_fffen, unsigned)).toBe("-2");
  expect(valueText(0xffff_0000n, unsigned)).toBe("0xffff0000");
  expect(valueText(0x10_0000n, unsigned)).toBe("1048576");
  expect(valueText(0n, pointer)).toBe("NULL");
  expect(valueText(0xff11_0000_04c7_9b40n, { ...unsigned, size: 8 })).toBe("ff11000004c79b40");
  expect(valueText(0xffff_ffff_ffff_fff4n, { ...int, size: 8 })).toBe("-12");
});

it("names of an enum, and truth", () => {
  const type = { kind: "enum", name: "state", size: 4, signed: false, enumerators: [{ name: "DOWN", value: 2n }] } as never;
  expect(valueText(2n, { ...unsigned, type })).toBe("DOWN");
  expect(valueText(3n, { ...unsigned, type })).toBe("3");
  const bool = { kind: "int", name: "_Bool", size: 1, signed: false, encoding: "bool" } as never;
  expect(valueText(1n, { ...unsigned, size: 1, type: bool })).toBe("true");
});

it("constants of the code", () => {
  expect(constantText(0n, pointer)).toBe("NULL");
  expect(constantText(0x1234n, unsigned)).toBe("4660");
  expect(constantText(0x10_0000n, unsigned)).toBe("0x100000");
  expect(constantText(0xffff_ffff_ffff_ffffn, { ...unsigned, size: 0 })).toBe("-1");
});
