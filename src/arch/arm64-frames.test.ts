import { describe, expect, it } from "vitest";
import { arm64CallAt, arm64RecordLinked } from "./arm64-frames.ts";

describe("a branch with link", () => {
  const at = 0xffff_8000_1000_0000n;
  it.each([
    [0x9400_0001, at + 4n],
    [0x97ff_ffff, at - 4n],
    [0x9600_0000, at - 0x800_0000n],
    [0x95ff_ffff, at + 0x7ff_fffcn],
    [0xd63f_0100, "indirect"], // blr x8
    [0xd73f_0909, "indirect"], // blraa x8, x9
    [0xd63f_0d1f, "indirect"], // blrabz x8
  ])("%x", (word, expected) => {
    expect(arm64CallAt(word, at)).toBe(expected);
  });

  it.each([0x1400_0001, 0xd61f_0100, 0xd65f_03c0, 0xd503_201f, 0])("%x is none", (word) => {
    expect(arm64CallAt(word, at)).toBeUndefined();
  });
});

describe("a frame record", () => {
  const PACIASP = 0xd503_233f;
  const STP = 0xa9be_7bfd;
  const MOV = 0x9100_03fd;
  const ADD_AT_40 = 0x9101_03fd;
  const LDP = 0xa8c2_7bfd;
  const NOP = 0xd503_201f;
  it.each([
    [[PACIASP, STP], false],
    [[PACIASP, STP, MOV], true],
    [[STP, ADD_AT_40], true],
    [[STP, MOV, NOP, LDP], false],
    [[STP, MOV, LDP, NOP, NOP], false],
    // An early return on the way does not count.
    [[STP, MOV, LDP, NOP, NOP, NOP, NOP], true],
    [[NOP, NOP], false],
  ])("%j is linked: %s", (words, expected) => {
    expect(arm64RecordLinked(Uint32Array.from(words))).toBe(expected);
  });
});
