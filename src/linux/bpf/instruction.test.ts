import { describe, expect, test } from "vitest";
import { bpfInstructions, bpfText } from "./instruction.ts";

const insn = (code: number, dst: number, src: number, off: number, imm: number) => {
  const view = new DataView(new ArrayBuffer(8));
  view.setUint8(0, code);
  view.setUint8(1, (src << 4) | dst);
  view.setInt16(2, off, true);
  view.setInt32(4, imm, true);
  return new Uint8Array(view.buffer);
};

describe("eBPF instructions, as the kernel's disasm.c words them", () => {
  test.each([
    [insn(0xbf, 6, 1, 0, 0), "r6 = r1"],
    [insn(0x07, 2, 0, 0, -4), "r2 += -4"],
    [insn(0xb4, 3, 0, 0, 5), "(u32) r3 = (u32) 5"],
    [insn(0x64, 3, 0, 0, 2), "(u32) r3 <<= (u32) 2"],
    [insn(0xcf, 3, 4, 0, 0), "r3 s>>= r4"],
    [insn(0x87, 3, 0, 0, 0), "r3 = -r3"],
    [insn(0x84, 3, 0, 0, 0), "r3 = (u32) -r3"],
    [insn(0x3f, 1, 2, 1, 0), "r1 s/= r2"],
    [insn(0x9f, 1, 2, 0, 0), "r1 %= r2"],
    [insn(0xbf, 1, 2, 8, 0), "r1 = (s8)r2"],
    [insn(0xdc, 4, 0, 0, 16), "r4 = be16 r4"],
    [insn(0xd4, 4, 0, 0, 32), "r4 = le32 r4"],
    [insn(0xd7, 4, 0, 0, 64), "r4 = bswap64 r4"],
    [insn(0xef, 1, 2, 0, 0), "BUG_ef"],
    [insn(0x61, 4, 6, 112, 0), "r4 = *(u32 *)(r6 +112)"],
    [insn(0x91, 4, 6, -8, 0), "r4 = *(s8 *)(r6 -8)"],
    [insn(0x62, 10, 0, -4, 7), "*(u32 *)(r10 -4) = 7"],
    [insn(0x7b, 10, 1, -16, 0), "*(u64 *)(r10 -16) = r1"],
    [insn(0xdb, 0, 1, 0, 0), "lock *(u64 *)(r0 +0) += r1"],
    [insn(0xc3, 0, 1, 4, 0x41), "r1 = atomic_fetch_or((u32 *)(r0 +4), r1)"],
    [insn(0xdb, 1, 2, 0, 0xe1), "r2 = atomic64_xchg((u64 *)(r1 +0), r2)"],
    [insn(0xdb, 1, 2, 0, 0xf1), "r0 = atomic64_cmpxchg((u64 *)(r1 +0), r0, r2)"],
    [insn(0xdb, 1, 2, 0, 0x77), "BUG_db"],
    [insn(0x28, 0, 0, 0, 12), "r0 = *(u16 *)skb[12]"],
    [insn(0x50, 0, 7, 0, 2), "r0 = *(u8 *)skb[r7 + 2]"],
    [insn(0x15, 0, 0, 1, 0), "if r0 == 0x0 goto pc+1"],
    [insn(0x55, 7, 0, 14, 0xdd86), "if r7 != 0xdd86 goto pc+14"],
    [insn(0xa5, 1, 0, -2, -1), "if r1 < 0xffffffff goto pc-2"],
    [insn(0x6d, 1, 2, 3, 0), "if r1 s> r2 goto pc+3"],
    [insn(0x16, 1, 0, 3, 9), "if w1 == 0x9 goto pc+3"],
    [insn(0x05, 0, 0, -7, 0), "goto pc-7"],
    [insn(0x06, 0, 0, 0, 300), "gotol pc+300"],
    [insn(0x85, 0, 1, 0, 12), "call pc+12"],
    [insn(0x85, 0, 0, 0, 77), "call unknown#77"],
    [insn(0x95, 0, 0, 0, 0), "exit"],
  ])("%#", (bytes, text) => {
    expect(bpfText(bytes)).toBe(text);
  });

  test("a load of 64 bits takes two slots; names are asked for; a half at the end is told", () => {
    const code = Uint8Array.of(
      ...insn(0x18, 1, 0, 0, 0x41b9ec00),
      ...insn(0, 0, 0, 0, -0xd0c727),
      ...insn(0x85, 0, 0, 0, 5),
      ...insn(0x18, 2, 0, 0, 1),
    );
    const names = {
      call: (imm: number) => (imm === 5 ? "bpf_ktime_get_ns" : undefined),
      constant: (value: bigint) => (value === 0xff2f38d941b9ec00n ? "map[id:1]" : undefined),
    };
    expect([...bpfInstructions(code, names)].map(({ index, text }) => [index, text])).toEqual([
      [0, "r1 = map[id:1]"],
      [2, "call bpf_ktime_get_ns#5"],
      [3, "r2 = (the second half is missing)"],
    ]);
  });
});
