import { describe, expect, it } from "vitest";
import { FormatError } from "../../bytes/errors.ts";
import { Random } from "../../bytes/testing/random.ts";
import { CallFrames } from "./call-frame.ts";
import * as dw from "./constants.ts";
import { type CfaWriter, callFrames, cfa, type FrameLayout, type TestCie } from "./testing/build-call-frames.ts";
import { MemorySections } from "./testing/memory-sections.ts";

const RSP = 7;
const RBP = 6;
const RIP = 16;
const TEXT = 0xffff_ffff_8100_0000n;
const ARM_TEXT = 0xffff_8000_0801_0000n;

/** CFA rsp + 8, return address below it: how every x86-64 function begins. */
const entry = () => cfa().defCfa(RSP, 8).offset(RIP, 1);

function frames(kind: "debug" | "eh", cies: readonly TestCie[], layout: FrameLayout = {}): CallFrames {
  const name = kind === "eh" ? ".eh_frame" : ".debug_frame";
  const sections = new MemorySections({ [name]: callFrames(kind, cies, layout) });
  sections.addresses.set(name, layout.address ?? 0n);
  return CallFrames.open(sections);
}

/** One function of 64 bytes with these instructions. */
function rowOf(instructions: CfaWriter, pc: bigint, cie: Partial<TestCie> = {}) {
  const row = frames("debug", [{ instructions: entry(), ...cie, functions: [{ start: TEXT, length: 64, instructions }] }]).row(TEXT + pc);
  return row === undefined ? undefined : { ...row, registers: Object.fromEntries(row.registers) };
}

describe("where functions are", () => {
  const prologue = () => cfa().advance(1).defCfaOffset(16).offset(RBP, 2);
  const functions = [
    { start: TEXT + 0x2000n, length: 32, instructions: prologue() },
    { start: TEXT, length: 16, instructions: prologue() },
    { start: TEXT + 0x1000n, length: 0x80 },
    { start: 0n, length: 64 },
    { start: TEXT + 0x3000n, length: 0 },
  ];

  it.each([
    ["debug", 1, undefined],
    ["debug", 3, undefined],
    ["debug", 4, undefined],
    ["debug", 4, { offsetSize: 8 }],
    ["eh", 1, undefined],
    ["eh", 3, { offsetSize: 8 }],
  ] as const)("in .%s_frame of version %i", (kind, version, layout) => {
    const found = frames(kind, [{ version, instructions: entry(), functions }], layout);
    expect(found.row(TEXT + 0x2001n)?.cfa).toEqual({ register: RSP, offset: 16 });
    expect(found.row(TEXT + 0x2000n)?.cfa).toEqual({ register: RSP, offset: 8 });
    expect(found.row(TEXT + 15n)?.registers.get(RBP)).toEqual({ kind: "at cfa", offset: -16 });
    expect([0xfffn, 0x1000n, 0x107fn, 0x1080n].map((at) => found.row(TEXT + at) !== undefined)).toEqual([false, true, true, false]);
    for (const pc of [TEXT - 1n, TEXT + 16n, TEXT + 0x2020n, TEXT + 0x3000n, 16n]) expect(found.row(pc)).toBeUndefined();
  });

  it.each([
    ["absolute", dw.DW_EH_PE_absptr],
    ["of 4 bytes, relative", dw.DW_EH_PE_pcrel | dw.DW_EH_PE_sdata4],
    ["of 8 bytes, relative", dw.DW_EH_PE_pcrel | dw.DW_EH_PE_sdata8],
    ["of variable size, relative", dw.DW_EH_PE_pcrel | dw.DW_EH_PE_sleb128],
  ])("with addresses %s", (_name, encoding) => {
    const cie = { augmentation: "zPLRS", encoding, instructions: entry(), functions: functions.slice(0, 3) };
    const found = frames("eh", [cie], { address: TEXT + 0x10_0000n });
    expect(found.row(TEXT + 0x2001n)?.cfa).toEqual({ register: RSP, offset: 16 });
    expect(found.row(TEXT + 1n)?.signal).toBe(true);
  });

  it("in .debug_frame before .eh_frame, each for what the other has not", () => {
    const cie = (start: bigint, offset: number): TestCie => ({
      instructions: cfa().defCfa(RSP, offset),
      functions: [{ start, length: 16 }],
    });
    const sections = new MemorySections({
      ".debug_frame": callFrames("debug", [cie(TEXT, 8)]),
      ".eh_frame": callFrames("eh", [cie(TEXT, 24), cie(TEXT + 16n, 32)]),
    });
    const found = CallFrames.open(sections);
    expect([0n, 16n].map((at) => found.row(TEXT + at)?.cfa)).toEqual([8, 32].map((offset) => ({ register: RSP, offset })));
  });

  it("far from each other, and thousands of them in any order", () => {
    const random = new Random(7);
    const starts = Array.from({ length: 3000 }, (_, i) => TEXT + BigInt(i * 64));
    const shuffled = starts.map((start) => ({ start, key: random.below(1 << 30) })).sort((a, b) => a.key - b.key);
    const list = [
      ...shuffled.map(({ start }) => ({ start, length: 48, instructions: cfa().defCfaOffset(Number(start & 0xffffn)) })),
      { start: 0x1000n, length: 8 },
    ];
    const found = frames("debug", [{ instructions: entry(), functions: list }]);
    for (const start of starts) expect(found.row(start + 47n)?.cfa).toEqual({ register: RSP, offset: Number(start & 0xffffn) });
    expect(found.row(TEXT + 48n)).toBeUndefined();
    expect(found.row(0x1000n)).toBeDefined();
  });
});

describe("instructions", () => {
  it("define the CFA", () => {
    const cfaOf = (instructions: CfaWriter) => rowOf(instructions, 0n)?.cfa;
    expect(cfaOf(cfa().defCfa(RBP, 300))).toEqual({ register: RBP, offset: 300 });
    expect(cfaOf(cfa().signed(dw.DW_CFA_def_cfa_sf, [RBP], -3))).toEqual({ register: RBP, offset: 24 });
    expect(cfaOf(cfa().op(dw.DW_CFA_def_cfa_register, RBP))).toEqual({ register: RBP, offset: 8 });
    expect(cfaOf(cfa().defCfaOffset(40))).toEqual({ register: RSP, offset: 40 });
    expect(cfaOf(cfa().signed(dw.DW_CFA_def_cfa_offset_sf, [], -5))).toEqual({ register: RSP, offset: 40 });
    expect(cfaOf(cfa().expression(dw.DW_CFA_def_cfa_expression, [], [0x77, 8]))).toEqual({ expression: Uint8Array.of(0x77, 8) });
  });

  it("give each register a rule", () => {
    const rules = rowOf(
      cfa()
        .offset(3, 2)
        .op(dw.DW_CFA_offset_extended, 4, 3)
        .signed(dw.DW_CFA_offset_extended_sf, [5], -2)
        .op(dw.DW_CFA_GNU_negative_offset_extended, 6, 1)
        .op(dw.DW_CFA_val_offset, 8, 1)
        .signed(dw.DW_CFA_val_offset_sf, [9], -1)
        .op(dw.DW_CFA_undefined, 10)
        .op(dw.DW_CFA_same_value, 11)
        .op(dw.DW_CFA_register, 12, 13)
        .expression(dw.DW_CFA_expression, [14], [1])
        .expression(dw.DW_CFA_val_expression, [15], [2])
        .op(dw.DW_CFA_nop)
        .op(dw.DW_CFA_GNU_args_size, 64),
      0n,
    )?.registers;
    expect(rules).toEqual({
      3: { kind: "at cfa", offset: -16 },
      4: { kind: "at cfa", offset: -24 },
      5: { kind: "at cfa", offset: 16 },
      6: { kind: "at cfa", offset: 8 },
      8: { kind: "is cfa", offset: -8 },
      9: { kind: "is cfa", offset: 8 },
      10: { kind: "undefined" },
      11: { kind: "same" },
      12: { kind: "register", register: 13 },
      14: { kind: "at expression", expression: Uint8Array.of(1) },
      15: { kind: "is expression", expression: Uint8Array.of(2) },
      16: { kind: "at cfa", offset: -8 },
    });
  });

  it("take effect from the instruction to which they advance", () => {
    const whole = () => {
      const instructions = cfa().advance(1).defCfaOffset(16);
      instructions.op(dw.DW_CFA_advance_loc1).writer.u8(4);
      instructions.defCfaOffset(24).op(dw.DW_CFA_advance_loc2).writer.u16(5);
      instructions.defCfaOffset(32).op(dw.DW_CFA_advance_loc4).writer.u32(6);
      instructions
        .defCfaOffset(40)
        .op(dw.DW_CFA_set_loc)
        .writer.fixed(TEXT + 40n, 8);
      return instructions.defCfaOffset(48);
    };
    const cfas = [0n, 1n, 4n, 5n, 9n, 10n, 15n, 16n, 39n, 40n].map((pc) => rowOf(whole(), pc)?.cfa);
    expect(cfas).toEqual([8, 16, 16, 24, 24, 32, 32, 40, 40, 48].map((offset) => ({ register: RSP, offset })));
  });

  it("count in units of the code factor", () => {
    const row = (pc: bigint) => rowOf(cfa().advance(1).defCfaOffset(96), pc, { codeFactor: 4, dataFactor: -8, returnRegister: 30 });
    expect([3n, 4n].map((pc) => row(pc)?.cfa)).toEqual([8, 96].map((offset) => ({ register: RSP, offset })));
    expect(row(0n)?.returnRegister).toBe(30);
  });

  it("remember and restore rows, nested, with the CFA and what is signed", () => {
    const instructions = cfa()
      .defCfaOffset(16)
      .offset(3, 2)
      .op(dw.DW_CFA_remember_state)
      .restore(3)
      .op(dw.DW_CFA_restore_extended, RIP)
      .defCfaOffset(8)
      .op(dw.DW_CFA_AARCH64_negate_ra_state)
      .op(dw.DW_CFA_remember_state)
      .advance(4)
      .op(dw.DW_CFA_restore_state)
      .op(dw.DW_CFA_restore_state);
    expect(rowOf(instructions, 0n)).toMatchObject({
      cfa: { offset: 8 },
      signed: true,
      registers: { [RIP]: { kind: "at cfa", offset: -8 } },
    });
    expect(rowOf(instructions, 0n)?.registers).not.toHaveProperty("3");
    expect(rowOf(instructions, 4n)).toMatchObject({
      cfa: { offset: 16 },
      signed: false,
      registers: { 3: { kind: "at cfa", offset: -16 } },
    });
  });

  it("say where return addresses of arm64 are signed", () => {
    const instructions = cfa().advance(1).op(dw.DW_CFA_AARCH64_negate_ra_state).advance(1).op(dw.DW_CFA_AARCH64_negate_ra_state_with_pc);
    const cie = {
      codeFactor: 4,
      returnRegister: 30,
      instructions: cfa().defCfa(31, 0),
      functions: [{ start: ARM_TEXT, length: 64, instructions }],
    };
    const found = frames("debug", [cie]);
    expect([0n, 4n, 8n].map((pc) => found.row(ARM_TEXT + pc)?.signed)).toEqual([false, true, false]);
  });
});

describe("damaged sections", () => {
  const good = callFrames("debug", [{ instructions: entry(), functions: [{ start: TEXT, length: 64, instructions: cfa().offset(3, 2) }] }]);

  it("with unknown instructions or states are errors of that function alone", () => {
    const other = { start: TEXT + 64n, length: 64 };
    const bad = (instructions: CfaWriter) =>
      frames("debug", [{ instructions: entry(), functions: [{ start: TEXT, length: 64, instructions }, other] }]);
    for (const instructions of [
      cfa().op(0x3f),
      cfa().op(dw.DW_CFA_restore_state),
      cfa().op(dw.DW_CFA_def_cfa_offset),
      cfa().expression(dw.DW_CFA_expression, [3], []).op(dw.DW_CFA_expression, 3, 100),
      Array.from({ length: 100 }).reduce<CfaWriter>((writer) => writer.op(dw.DW_CFA_remember_state), cfa()),
    ]) {
      expect(() => bad(instructions).row(TEXT)).toThrow(FormatError);
      expect(bad(instructions).row(TEXT + 64n)).toBeDefined();
    }
    const without = frames("debug", [{ instructions: cfa(), functions: [other] }]);
    expect(() => without.row(TEXT + 64n)).toThrow(/without a CFA/);
  });

  it("with CIEs of unknown kind have no rows for their functions", () => {
    const cie = (augmentation: string): TestCie => ({ augmentation, instructions: entry(), functions: [{ start: TEXT, length: 64 }] });
    expect(frames("debug", [cie("")]).row(TEXT)).toBeDefined();
    expect(frames("debug", [cie("armcc+")]).row(TEXT)).toBeUndefined();
    const version = good.slice();
    version[8] = 2;
    expect(CallFrames.open(new MemorySections({ ".debug_frame": version })).row(TEXT)).toBeUndefined();
  });

  it("cut off or changed anywhere give a row, nothing, or a FormatError", () => {
    const random = new Random(3);
    for (let i = 0; i < 2000; i++) {
      const bytes = good.slice(0, i % 3 === 0 ? random.below(good.length) : good.length);
      if (bytes.length > 0) bytes[random.below(bytes.length)] = random.below(256);
      try {
        CallFrames.open(new MemorySections({ ".debug_frame": bytes, ".eh_frame": bytes })).row(TEXT + BigInt(random.below(64)));
      } catch (error) {
        expect(error).toBeInstanceOf(FormatError);
      }
    }
  });
});
