import { describe, expect, it } from "vitest";
import { Random } from "../bytes/testing/random.ts";
import { X86Decoder } from "./x86-64-instruction.ts";

const bytes = (hex: string) => Uint8Array.from(hex.split(" "), (each) => Number.parseInt(each, 16));
const sizeOf = (hex: string) => new X86Decoder(Uint8Array.from([...bytes(hex), ...new Uint8Array(16)])).at(0).size;

describe("lengths of instructions", () => {
  it.each([
    ["endbr64", "f3 0f 1e fa"],
    ["nopw 0x0(%rax,%rax,1)", "66 0f 1f 84 00 00 00 00 00"],
    ["push %r15", "41 57"],
    ["sub $0x28,%rsp", "48 83 ec 28"],
    ["mov %gs:0x28,%rax", "65 48 8b 04 25 28 00 00 00"],
    ["lea 0x0(%rip),%rdi", "48 8d 3d 00 00 00 00"],
    ["movabs $imm64,%rax", "48 b8 01 02 03 04 05 06 07 08"],
    ["mov $imm32,%eax", "b8 01 02 03 04"],
    ["mov $imm16,%ax", "66 b8 01 02"],
    ["movabs 0x…,%al", "a0 01 02 03 04 05 06 07 08"],
    ["movl $imm32,disp8(%rsp)", "c7 44 24 08 01 00 00 00"],
    ["movw $imm16,(%rax)", "66 c7 00 01 00"],
    ["testb $imm8,(%rax)", "f6 00 01"],
    ["not (%rax)", "f7 10"],
    ["testl $imm32,(%rax)", "f7 00 01 02 03 04"],
    ["call", "e8 00 00 00 00"],
    ["call *disp32(,%rax,8)", "ff 14 c5 00 00 00 00"],
    ["jne rel32", "0f 85 00 00 00 00"],
    ["jmp rel8", "eb 00"],
    ["ret", "c3"],
    ["ret imm16", "c2 08 00"],
    ["ud2", "0f 0b"],
    ["lock cmpxchg %rcx,(%rdx)", "f0 48 0f b1 0a"],
    ["rep movsb", "f3 a4"],
    ["pshufb", "66 0f 38 00 c1"],
    ["palignr", "66 0f 3a 0f c1 08"],
    ["shld $imm8", "48 0f a4 c2 05"],
    ["mov %cr3,%rax", "0f 20 d8"],
    ["vpxor (VEX, two bytes)", "c5 f9 ef c0"],
    ["vzeroupper", "c5 f8 77"],
    ["vpshufb (VEX, three bytes)", "c4 e2 79 00 c1"],
    ["vpalignr (VEX, immediate)", "c4 e3 79 0f c1 08"],
    ["vmovdqu64 disp8(%rax) (EVEX)", "62 f1 fe 48 6f 40 01"],
    ["enter", "c8 10 00 00"],
  ])("%s", (_name, hex) => {
    expect(sizeOf(hex)).toBe(bytes(hex).length);
  });

  it("is 0 for what is no instruction of 64-bit mode, or goes on beyond the code", () => {
    for (const hex of ["06", "60", "ea", "0f 04", "82", "d4"]) expect(sizeOf(hex)).toBe(0);
    expect(sizeOf(Array.from({ length: 15 }, () => "66").join(" "))).toBe(0);
    for (const hex of ["48 8b 04 25 28 00 00 00", "e8 00 00 00 00", "0f 38", "c4 e3", "62 f1", "48"]) {
      const whole = bytes(hex);
      for (let length = 0; length < whole.length; length++) expect(new X86Decoder(whole.subarray(0, length)).at(0).size).toBe(0);
    }
  });

  it("never passes the end, whatever the bytes", () => {
    const random = new Random(5);
    for (let i = 0; i < 5000; i++) {
      const code = Uint8Array.from({ length: 1 + random.below(16) }, () => random.below(256));
      const { size } = new X86Decoder(code).at(0);
      expect(size).toBeLessThanOrEqual(code.length);
    }
  });
});

describe("parts of instructions", () => {
  it.each([
    ["mov %rbx,-8(%rbp)", "48 89 5d f8", { opcode: 0x89, base: 5, displacement: -8 }],
    ["mov %r12,0x10(%rsp)", "4c 89 64 24 10", { base: 4, displacement: 16 }],
    ["mov (%rsp,%rcx,1),%rax", "48 8b 04 0c", { base: -1 }],
    ["mov 0x0(%rip),%rax", "48 8b 05 10 00 00 00", { base: -1 }],
    ["mov (%r12),%rax", "49 8b 04 24", { base: 12, displacement: 0 }],
    ["mov 0x100(%r13),%rax", "49 8b 85 00 01 00 00", { base: 13, displacement: 256 }],
    ["sub $0x88,%rsp", "48 81 ec 88 00 00 00", { opcode: 0x81, immediate: 0x88 }],
    ["add $-0x80,%rsp", "48 83 c4 80", { immediate: -128 }],
    ["jmp -5", "e9 fb ff ff ff", { opcode: 0xe9, immediate: -5 }],
    ["jne +16", "0f 85 10 00 00 00", { map: 1, opcode: 0x85, immediate: 16 }],
  ])("%s", (_name, hex, expected) => {
    expect(new X86Decoder(bytes(hex)).at(0)).toMatchObject(expected);
  });
});
