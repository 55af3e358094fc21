import { beforeAll, describe, expect, it } from "vitest";
import { virtual } from "../bytes/address.ts";
import { registerDisassemblers } from "../faces/cli/disassemblers.ts";
import { logicalImmediate } from "./arm64-dialect.ts";
import { type Disassembler, instructionText, loadDisassembler } from "./disassembler.ts";

const AT = virtual(0xffff800008010000n);
let disassembler: Disassembler;

beforeAll(async () => {
  registerDisassemblers();
  disassembler = await loadDisassembler("aarch64");
});

function bytes(word: number): Uint8Array {
  const data = new Uint8Array(4);
  new DataView(data.buffer).setUint32(0, word, true);
  return data;
}
const text = (word: number) => instructionText(disassembler.instruction(bytes(word), AT), (address) => address.toString(16));

// What GNU objdump 2.44 prints for these words at that address.
const OBJDUMP: readonly (readonly [number, string])[] = [
  [0xd503201f, "nop"],
  [0xd503233f, "paciasp"],
  [0xa9bd7bfd, "stp\tx29, x30, [sp, #-48]!"],
  [0xa8c37bfd, "ldp\tx29, x30, [sp], #48"],
  [0xf85e86b4, "ldr\tx20, [x21], #-24"],
  [0xf9431e60, "ldr\tx0, [x19, #1592]"],
  [0x9132c273, "add\tx19, x19, #0xcb0"],
  [0xb140041f, "cmn\tx0, #0x1, lsl #12"],
  [0x5283ffe0, "mov\tw0, #0x1fff                \t// #8191"],
  [0xb26183e5, "mov\tx5, #0xffffffff80000000    \t// #-2147483648"],
  [0xf2618281, "ands\tx1, x20, #0xffffffff80000000"],
  [0xf274cc1f, "tst\tx0, #0xfffffffffffff000"],
  [0x54000041, "b.ne\tffff800008010008  // b.any"],
  [0x54000043, "b.cc\tffff800008010008  // b.lo, b.ul, b.last"],
  [0x94000001, "bl\tffff800008010004"],
  [0xb4000040, "cbz\tx0, ffff800008010008"],
  [0x36a80000, "tbz\tw0, #21, ffff800008010000"],
  [0xb000c093, "adrp\tx19, ffff800009821000"],
  [0x9a97139c, "csel\tx28, x28, x23, ne\t// ne = any"],
  [0xda9616d6, "cneg\tx22, x22, eq\t// eq = none"],
  [0x7a401804, "ccmp\tw0, #0x0, #0x4, ne\t// ne = any"],
  [0x530c7c01, "lsr\tw1, w0, #12"],
  [0xd34cfca5, "lsr\tx5, x5, #12"],
  [0xd50343ff, "msr\tdaifclr, #0x3"],
  [0xd53803a0, "mrs\tx0, id_dfr1_el1"],
  [0xd50322df, "clrbhb"],
  [0xd503227f, "gcsb\tdsync"],
  [0xb8400842, "ldtr\tw2, [x2]"],
  [0xf8008820, "sttr\tx0, [x1, #8]"],
  [0x389ff821, "ldtrsb\tx1, [x1, #-1]"],
  [0x4cdf2000, "ld1\t{v0.16b-v3.16b}, [x0], #64"],
  [0x4e002000, "tbl\tv0.16b, {v0.16b-v1.16b}, v0.16b"],
  [0x6e134274, "ext\tv20.16b, v19.16b, v19.16b, #8"],
  [0xd50b7d21, "dc\tcvadp, x1"],
  [0xd508c020, "sys\t#0, C12, C0, #1, x0"],
  [0xd51b4440, "msr\tfpmr, x0"],
  [0x00000000, "udf\t#0"],
  [0xff4b2508, ".inst\t0xff4b2508 ; undefined"],
];

describe("arm64 text", () => {
  it.each(OBJDUMP)("%s", (word, expected) => {
    expect(text(word)).toBe(expected);
  });

  it("does not read past bytes that end early", () => {
    expect(disassembler.instruction(new Uint8Array(2), AT)).toMatchObject({ size: 4, valid: false });
  });

  it("tells flow", () => {
    const flow = (word: number) => disassembler.instruction(bytes(word), AT).flow;
    expect([0x94000001, 0x14000001, 0x54000041, 0xd65f03c0, 0xd63f0000, 0xd61f0000, 0xd4210000, 0xd503201f].map(flow)).toEqual([
      "call",
      "jump",
      "conditional",
      "return",
      "call",
      "jump",
      "trap",
      "next",
    ]);
  });
});

describe("logical immediates", () => {
  it("repeats and rotates a run of ones", () => {
    expect(logicalImmediate(0xb26183e5)).toBe(0xffffffff80000000n);
    expect(logicalImmediate(0x12000000)).toBe(1n);
    expect(logicalImmediate(0x3200f3e0)).toBe(0x55555555n);
    expect(logicalImmediate(0x9132c273)).toBeUndefined();
  });
});

describe("arm64 operands", () => {
  const decode = (word: number) => disassembler.decode(bytes(word), AT);

  it("a pair load with writeback", () => {
    const ldp = decode(0xa8c37bfd);
    expect(ldp.operands[2]).toEqual({
      kind: "memory",
      segment: undefined,
      base: "sp",
      index: undefined,
      scale: 1,
      displacement: 0n,
      size: 16,
      access: "read",
      writeback: "post",
      step: 48n,
    });
    expect(ldp.writes).toEqual(["x29", "x30", "sp"]);
    expect(ldp.reads).toEqual(["sp"]);
  });

  it("a store reads its data", () => {
    const stp = decode(0xa9bd7bfd);
    expect(stp.operands[2]).toMatchObject({ base: "sp", displacement: -48n, size: 16, access: "write", writeback: "pre" });
    expect(stp.reads).toEqual(["x29", "x30", "sp"]);
    expect(stp.writes).toEqual(["sp"]);
  });

  it("an indexed load", () => {
    // ldrb w0, [x1, x2, lsl #0] is 38627820; ldr x0, [x1, w2, sxtw #3] is f862d820
    expect(decode(0xf862d820).operands[1]).toMatchObject({ base: "x1", index: "x2", scale: 8, size: 8 });
  });

  it("shifts of immediates, and what is done with registers before they are used", () => {
    // add x1, x1, #0x1, lsl #12; add x0, x1, w2, sxtw; add x0, x1, x2, lsl #3; mrs x0, sp_el0
    expect(decode(0x91400421).operands[2]).toEqual({ kind: "immediate", value: 0x1000n });
    expect(decode(0x8b22c020).operands[2]).toMatchObject({ full: "x2", size: 4, modifier: "sxtw" });
    expect(decode(0x8b020c20).operands[2]).toMatchObject({ full: "x2", modifier: "lsl #3" });
    expect(decode(0x8b020c20).operands[1]).not.toHaveProperty("modifier");
    expect(decode(0xd5384100).operands[1]).toEqual({ kind: "system", name: "sp_el0" });
    expect(decode(0xf862d820).operands[1]).toMatchObject({ extend: "sxtw" });
    expect(decode(0xf862f820).operands[1]).not.toHaveProperty("extend", "sxtw");
  });

  it("compare and swap, exclusive stores and branches", () => {
    // cas w1, w2, [x0]
    expect(decode(0x88a17c02)).toMatchObject({ reads: ["x1", "x2", "x0"], writes: ["x1"] });
    // stxr w3, x4, [x5]
    expect(decode(0xc8037ca4)).toMatchObject({ reads: ["x4", "x5"], writes: ["x3"] });
    expect(decode(0xd63f0000)).toMatchObject({ reads: ["x0"], writes: ["x30"] });
    expect(decode(0xb4000040)).toMatchObject({ reads: ["x0"], writes: [], operands: [{ name: "x0" }, { kind: "target" }] });
  });
});
