import { describe, expect, it } from "vitest";
import { x86CallBefore, x86FrameSetup, x86Prologue } from "./x86-64-frames.ts";

const bytes = (hex: string) => Uint8Array.from(hex.split(" "), (byte) => Number.parseInt(byte, 16));

describe("the call before a return address", () => {
  it.each([
    ["e8 10 00 00 00", { kind: "direct", displacement: 16 }],
    ["90 90 e8 fb ff ff ff", { kind: "direct", displacement: -5 }],
    ["ff d0", { kind: "indirect" }], // call *%rax
    ["41 ff d3", { kind: "indirect" }], // call *%r11
    ["ff 50 18", { kind: "indirect" }], // call *0x18(%rax)
    ["ff 90 18 01 00 00", { kind: "indirect" }], // call *0x118(%rax)
    ["ff 15 18 01 00 00", { kind: "indirect" }], // call *0x118(%rip)
    ["ff 14 c5 00 80 60 81", { kind: "indirect" }], // call *-0x7e9f8000(,%rax,8)
    ["41 ff 54 24 08", { kind: "indirect" }], // call *0x8(%r12)
  ])("%s", (hex, expected) => {
    expect(x86CallBefore(bytes(`90 90 90 ${hex}`))).toEqual(expected);
  });

  it.each(["90 90 90 90 90 90 90 90", "ff e0", "ff 60 18", "ff 50", "0f 0b", "e8 10 00 00 00 90"])("is none in %s", (hex) => {
    expect(x86CallBefore(bytes(hex))).toBeUndefined();
  });
});

describe("a prologue", () => {
  it("counts pushes and locals, past moves", () => {
    // endbr64; call; push %r15; push %rbx; mov %rdi,%rbx; xor %eax,%eax; mov $1,%edx; sub $0xb0,%rsp; push %rax
    const code = bytes("f3 0f 1e fa e8 00 00 00 00 41 57 53 48 89 fb 31 c0 ba 01 00 00 00 48 81 ec b0 00 00 00 50");
    expect(x86Prologue(code)).toEqual({ pushed: [15, 3], locals: 0xb0 });
  });

  it.each(["0f 1f 44 00 00", "66 66 66 66 90", "3e 8d 74 26 00", "e8 01 02 03 04"])("begins behind ftrace's %s", (five) => {
    expect(x86Prologue(bytes(`${five} 55`))).toEqual({ pushed: [6], locals: 0 });
    expect(x86FrameSetup(bytes(`${five} 55 48 89 e5`), 6, 0x48)).toBe("after push");
  });

  it.each(["f3 0f 1e fa", "66 0f 1f 00", "0f 1f 40 d6"])("begins behind a landing pad, sealed or not: %s", (pad) => {
    expect(x86Prologue(bytes(`${pad} 0f 1f 44 00 00 55`))).toEqual({ pushed: [6], locals: 0 });
  });

  it("counts only what ran before the pc, and nothing behind another instruction", () => {
    expect(x86Prologue(bytes("55 53"))).toEqual({ pushed: [6, 3], locals: 0 });
    // push %rbp; test %rdi,%rdi; push %rbx
    expect(x86Prologue(bytes("55 48 85 ff 53"))).toEqual({ pushed: [6], locals: 0 });
    // The sub is cut off by the pc.
    expect(x86Prologue(bytes("53 48 81 ec b0"))).toEqual({ pushed: [3], locals: 0 });
  });
});

it("tells how far a frame pointer is set up", () => {
  const code = bytes("0f 1f 44 00 00 55 48 89 e5 41 57");
  expect([0, 5].map((offset) => x86FrameSetup(code, offset, code[offset]))).toEqual(["before push", "before push"]);
  expect(x86FrameSetup(code, 6, 0x48)).toBe("after push");
  expect(x86FrameSetup(code, 9, 0x41)).toBe("set up");
  expect(x86FrameSetup(code, 80, 0xc3)).toBe("before push");
  expect(x86FrameSetup(bytes("48 89 f8 c3 90 90"), 1, 0x89)).toBe("set up");
});
