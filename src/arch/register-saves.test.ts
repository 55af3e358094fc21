import { describe, expect, it } from "vitest";
import { ARM64_SAVES } from "./arm64-register-saves.ts";
import { FP, LR } from "./arm64-registers.ts";
import { type FlowHelp, RegisterSaves, type SavedState } from "./register-saves.ts";
import { X86_SAVES } from "./x86-64-register-saves.ts";
import { R12, RBP, RBX } from "./x86-64-registers.ts";

const ALONE: FlowHelp = { part: () => undefined, returns: () => true };

/** Code by lines of hex; the answers are about offsets of lines. */
function x86(lines: readonly string[], help: FlowHelp = ALONE) {
  const parts = lines.map((line) => line.split(" ").map((each) => Number.parseInt(each, 16)));
  const offsets = parts.map((_, i) => parts.slice(0, i).flat().length);
  const saves = RegisterSaves.of(X86_SAVES, Uint8Array.from(parts.flat()), help);
  return { saves, at: (line: number) => saves?.before(offsets[line] as number), offsets };
}

const PUSH_RBX = "53";
const POP_RBX = "5b";
const PUSH_RBP = "55";
const POP_RBP = "5d";
const CALL = "e8 00 10 00 00";
const RET = "c3";
const brief = (state: SavedState | undefined, ...registers: number[]) =>
  state === undefined ? undefined : [state.depth, ...registers.map((register) => state.of(register))];

describe("x86-64", () => {
  it("follows pushes, locals and pops", () => {
    const { at } = x86(["f3 0f 1e fa", PUSH_RBP, PUSH_RBX, "48 83 ec 18", CALL, "48 83 c4 18", POP_RBX, POP_RBP, RET]);
    expect([0, 1, 2, 3, 4, 6, 7, 8].map((line) => brief(at(line), RBX, RBP))).toEqual([
      [8, "same", "same"],
      [8, "same", "same"],
      [16, "same", 16],
      [24, 24, 16],
      [48, 24, 16],
      [24, 24, 16],
      [16, "same", 16],
      [8, "same", "same"],
    ]);
    expect(at(4)?.of(R12)).toBe("same");
  });

  it("finds the instruction before a return address", () => {
    const { saves, offsets } = x86([PUSH_RBX, CALL, POP_RBX, RET]);
    expect(brief(saves?.beforeEnding(offsets[2] as number), RBX)).toEqual([16, 16]);
    expect(saves?.beforeEnding((offsets[2] as number) - 1)).toBeUndefined();
    expect(saves?.before((offsets[1] as number) + 1)).toBeUndefined();
  });

  it("goes by the frame pointer where rsp is set from it", () => {
    const lines = [PUSH_RBP, "48 89 e5", PUSH_RBX, "48 29 c4", CALL, "48 8d 65 f8", POP_RBX, POP_RBP, RET];
    const { at } = x86(lines);
    expect(at(4)).toMatchObject({ depth: undefined, frame: 16 });
    expect(brief(at(6), RBX, RBP)).toEqual([24, 24, 16]);
    expect(brief(x86([PUSH_RBP, "48 89 e5", "48 81 ec 00 01 00 00", "c9", RET]).at(4), RBP)).toEqual([8, "same"]);
  });

  it("knows registers that are moved to the stack, and back", () => {
    const { at } = x86(["48 83 ec 18", "48 89 5c 24 08", CALL, "48 8b 5c 24 08", "48 83 c4 18", RET]);
    expect([brief(at(2), RBX), brief(at(4), RBX)]).toEqual([
      [32, 24],
      [32, "same"],
    ]);
  });

  it("keeps what all ways to a place agree on", () => {
    // test; je over the push: rbx is saved on one way only.
    const { at } = x86(["85 ff", "74 06", PUSH_RBX, CALL, "5b", RET]);
    expect(brief(at(3), RBX)).toEqual([16, 16]);
    // The jump leads to the return, past the pop: both have the caller's rbx.
    expect(brief(x86(["85 ff", "74 07", PUSH_RBX, CALL, POP_RBX, RET]).at(5), RBX)).toEqual([8, "same"]);
    expect(brief(x86(["85 ff", "74 01", PUSH_RBX, CALL, RET]).at(3), RBX)).toEqual([undefined, undefined]);
  });

  it("says nothing of a register that is written before it is saved, nor of another one's slot", () => {
    expect(x86(["48 89 fb", CALL]).at(1)?.of(RBX)).toBeUndefined();
    expect(x86(["48 31 db", PUSH_RBX, CALL]).at(2)?.of(RBX)).toBeUndefined();
    expect(x86([PUSH_RBX, "48 8b 5c 24 08", CALL]).at(2)?.of(RBX)).toBe(16);
    expect(x86(["48 8b 5f 08", CALL]).at(1)?.of(RBX)).toBeUndefined();
  });

  it("says nothing of places that no way leads to", () => {
    const { at } = x86([PUSH_RBX, "eb 01", CALL.slice(0, 2), RET, "ff e0", CALL]);
    expect(at(5)).toBeUndefined();
    const after = [PUSH_RBX, CALL, PUSH_RBP, CALL, RET];
    expect(brief(x86(after).at(3), RBX)).toEqual([24, 16]);
    expect(x86(after, { ...ALONE, returns: () => false }).at(3)).toBeUndefined();
    // ud2
    expect(x86([PUSH_RBX, "0f 0b", CALL]).at(2)).toBeUndefined();
  });

  it("gives up the depth when rsp comes from elsewhere", () => {
    expect(x86([PUSH_RBX, "48 89 c4", CALL]).at(2)).toMatchObject({ depth: undefined });
    expect(x86([PUSH_RBX, "48 83 e4 e0", CALL]).at(2)).toMatchObject({ depth: undefined });
    expect(x86([PUSH_RBX, "48 89 c4", CALL]).at(2)?.of(RBX)).toBe(16);
  });

  it("follows jumps to another part and back", () => {
    // jmp to +0x100, where the cold part calls and jumps back to the pop.
    const cold = Uint8Array.from([..."e8 00 00 00 00 e9".split(" "), ..."fc fe ff ff".split(" ")].map((each) => Number.parseInt(each, 16)));
    const part = (target: number) => (target === 0x100 ? { offset: 0x100, bytes: cold } : undefined);
    const { saves, at } = x86([PUSH_RBX, "e9 fa 00 00 00", POP_RBX, RET], { ...ALONE, part });
    expect(saves?.covers(0x105)).toBe(true);
    expect(saves?.covers(0x10a)).toBe(false);
    expect(brief(saves?.beforeEnding(0x105), RBX)).toEqual([16, 16]);
    expect(brief(at(2), RBX)).toEqual([16, 16]);
  });

  it("does not follow what is no code from end to end", () => {
    expect(x86([PUSH_RBX, "06", RET]).saves).toBeUndefined();
    // A jump into the middle of an instruction.
    expect(x86(["eb 01", "b8 00 00 00 00", RET]).saves).toBeUndefined();
  });
});

describe("functions that return", () => {
  const hex = (text: string) => Uint8Array.from(text.split(" "), (each) => Number.parseInt(each, 16));
  const may = (text: string, own: readonly number[] = []) =>
    RegisterSaves.mayReturn(X86_SAVES, hex(text), (target) => own.includes(target));

  it("have a return, or a jump out of them", () => {
    expect(may("53 0f 0b cc")).toBe(false);
    expect(may("53 eb fe 90")).toBe(false);
    expect(may("53 5b c3")).toBe(true);
    expect(may("ff e0")).toBe(true);
    expect(may("e9 00 10 00 00")).toBe(true);
    expect(may("0f 84 00 10 00 00 0f 0b", [0x1006])).toBe(false);
    // Not readable to its end.
    expect(may("53 06")).toBe(true);
  });
});

/** Code by words. */
function arm64(words: readonly number[], help: FlowHelp = ALONE) {
  const code = new Uint8Array(words.length * 4);
  const view = new DataView(code.buffer);
  words.forEach((word, i) => {
    view.setUint32(i * 4, word, true);
  });
  const saves = RegisterSaves.of(ARM64_SAVES, code, help);
  return (word: number) => saves?.before(word * 4);
}

describe("arm64", () => {
  const PACIASP = 0xd503233f;
  /** stp x29, x30, [sp, #-48]! … ldp x29, x30, [sp], #48 */
  const PUSH = 0xa9bd7bfd;
  const POP = 0xa8c37bfd;
  const MOV_FP = 0x910003fd;
  /** stp x19, x20, [sp, #16]; ldp x19, x20, [sp, #16] */
  const STP_19 = 0xa90153f3;
  const LDP_19 = 0xa94153f3;
  /** str x21, [sp, #32]; ldr x21, [sp, #32] */
  const STR_21 = 0xf90013f5;
  const LDR_21 = 0xf94013f5;
  const BL = 0x94000100;
  const RETURN = 0xd65f03c0;
  const MOV_19 = 0xaa0003f3;

  it("follows frame records, pairs and single registers", () => {
    const at = arm64([PACIASP, PUSH, MOV_FP, STP_19, MOV_19, STR_21, BL, LDP_19, LDR_21, POP, RETURN]);
    expect([1, 2, 4, 6, 9, 10].map((word) => brief(at(word), FP, LR, 19, 20, 21, 22))).toEqual([
      [0, "same", "same", "same", "same", "same", "same"],
      [48, 48, 40, "same", "same", "same", "same"],
      [48, 48, 40, 32, 24, "same", "same"],
      [48, 48, 40, 32, 24, 16, "same"],
      [48, 48, 40, "same", "same", "same", "same"],
      [0, "same", "same", "same", "same", "same", "same"],
    ]);
    expect(at(6)?.frame).toBe(48);
  });

  it("knows a record within the frame", () => {
    // sub sp, sp, #0x80; stp x29, x30, [sp, #80]; add x29, sp, #80; str x19, [x29, #16]
    const at = arm64([0xd10203ff, 0xa9057bfd, 0x910143fd, 0xf9000bb3, BL]);
    expect(at(4)).toMatchObject({ depth: 128, frame: 48 });
    expect(brief(at(4), FP, LR, 19)).toEqual([128, 48, 40, 32]);
  });

  it("takes comparisons with nothing but flags for what they are", () => {
    // tst w1, #0xff; cmp x0, x1; cmp sp-sized extended: subs xzr, sp, x1, uxtx; ccmp
    const at = arm64([PUSH, 0x72001c3f, 0xeb01001f, 0xeb2163ff, 0xfa401804, BL]);
    expect(at(5)?.depth).toBe(48);
    // and sp, x9, #~15; sub sp, sp, x1
    expect(arm64([PUSH, 0x927cec3f | (9 << 5), BL])(2)?.depth).toBeUndefined();
    expect(arm64([PUSH, 0xcb2163ff, BL])(2)?.depth).toBeUndefined();
  });

  it("branches as each instruction does, and ends where they end", () => {
    // cbz x0, +2 words; stp x19; bl: saved on one way only.
    expect(brief(arm64([PUSH, 0xb4000040, STP_19, BL])(3), 19)).toEqual([48, undefined]);
    expect(brief(arm64([PUSH, 0x36000040, STP_19, BL])(3), 19)).toEqual([48, undefined]);
    expect(brief(arm64([PUSH, 0x54000040, STP_19, BL])(3), 19)).toEqual([48, undefined]);
    expect(brief(arm64([PUSH, 0x14000002, STP_19, BL])(3), 19)).toEqual([48, "same"]);
    for (const last of [RETURN, 0xd61f0200, 0xd4210000, 0xd69f03e0, 0xd65f0bff]) expect(arm64([PUSH, last, BL])(2)).toBeUndefined();
    expect(arm64([PUSH, BL, BL], { ...ALONE, returns: () => false })(2)).toBeUndefined();
  });

  it("says nothing of registers written before they were saved", () => {
    expect(arm64([PUSH, MOV_19, BL])(2)?.of(19)).toBeUndefined();
    // ldr x19, [x0]; mrs x19, …; ldp x19, x20, [x8], #16 as cpu_switch_to does
    for (const word of [0xf9400013, 0xd5384113, 0xa8c15113]) expect(arm64([PUSH, word, BL])(2)?.of(19)).toBeUndefined();
    expect(arm64([BL, BL])(1)?.of(LR)).toBeUndefined();
  });
});
