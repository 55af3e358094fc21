import { expect, it } from "vitest";
import { quotientOf } from "./quotient.ts";

const registers = (rax: bigint, rdx: bigint) => new Map(Object.entries({ rax, rdx }));

it("the smallest number by -1 does not fit", () => {
  const lowest = registers(0x8000_0000n, 0xffff_ffffn);
  expect(quotientOf("idiv", 4, lowest, 0xffff_ffffn)).toEqual({
    dividend: -0x8000_0000n,
    divisor: -1n,
    quotient: 0x8000_0000n,
    fits: false,
  });
  expect(quotientOf("idivl", 4, lowest, 1n)).toMatchObject({ quotient: -0x8000_0000n, fits: true });
  // Without a sign the same bits are another number.
  expect(quotientOf("div", 4, lowest, 0xffff_ffffn)).toMatchObject({ quotient: 0x1_0000_0000n, fits: false });
});

it("takes both halves, whatever lies above them in the registers", () => {
  expect(quotientOf("div", 8, registers(5n, 7n), 7n)).toMatchObject({ dividend: (7n << 64n) | 5n, fits: false });
  expect(quotientOf("div", 8, registers(5n, 6n), 7n)?.fits).toBe(true);
  expect(quotientOf("div", 4, registers(0xabcd_0000_0009n, 0xffff_0000_0000n), 0x1_0000_0002n)).toMatchObject({
    dividend: 9n,
    quotient: 4n,
  });
  expect(quotientOf("div", 1, new Map([["rax", 0xff_1234n]]), 0x12n)).toMatchObject({ dividend: 0x1234n, fits: false });
});

it("is unknown with a register, and none by 0", () => {
  expect(quotientOf("div", 8, new Map([["rax", 1n]]), 7n)).toBeUndefined();
  expect(quotientOf("div", 8, registers(5n, 7n), 0n)).toBeUndefined();
});
