import { describe, expect, test } from "vitest";
import { virtual } from "../bytes/address.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { veneerTarget } from "./veneer.ts";

/** adrp x16, +0x36ad page; add x16, x16, #0x150; br x16 at 0xffffbc6dd40162a4. */
const CODE: readonly number[] = [0xb001b570, 0x91054210, 0xd61f0200];
const AT = 0xffffbc6dd40162a4n;

function kernelWith(words: readonly number[], name = "aarch64"): Kernel {
  const tryU32 = (address: bigint) => words[Number(address - AT) / 4];
  return { arch: { name }, memory: { tryU32 } } as unknown as Kernel;
}

describe("veneerTarget", () => {
  test("adds page and offset", () => {
    // immhi:immlo of 0xb001b570 is 0x36ad.
    expect(veneerTarget(kernelWith(CODE), virtual(AT))).toBe(0xffffbc6dd4016000n + 0x36adn * 0x1000n + 0x150n);
  });

  test("passes over bti c", () => {
    expect(veneerTarget(kernelWith([0xd503245f, ...CODE]), virtual(AT))).toBe(0xffffbc6dd4016000n + 0x36adn * 0x1000n + 0x150n);
  });

  test("wants all three instructions over one register, on arm64", () => {
    expect(veneerTarget(kernelWith([CODE[0] as number, 0x91054211, 0xd61f0200]), virtual(AT))).toBeUndefined();
    expect(veneerTarget(kernelWith(CODE.slice(0, 2)), virtual(AT))).toBeUndefined();
    expect(veneerTarget(kernelWith(CODE, "x86_64"), virtual(AT))).toBeUndefined();
  });
});
