import { beforeAll, describe, expect, it } from "vitest";
import { virtual } from "../bytes/address.ts";
import { registerDisassemblers } from "../faces/cli/disassemblers.ts";
import { type Disassembler, instructionText, loadDisassembler } from "./disassembler.ts";

const AT = virtual(0xffffffff81000000n);
let disassembler: Disassembler;

beforeAll(async () => {
  registerDisassemblers();
  disassembler = await loadDisassembler("x86_64");
});

const bytes = (hex: string) => Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
const text = (hex: string) => instructionText(disassembler.instruction(bytes(hex), AT), (address) => address.toString(16));

// What GNU objdump 2.44 prints for these bytes at that address.
const OBJDUMP: readonly (readonly [string, string])[] = [
  ["c3", "ret"],
  ["e8a0070000", "call   ffffffff810007a5"],
  ["2ee8e4efdb00", "cs call ffffffff81dbefea"],
  ["74fe", "je     ffffffff81000000"],
  ["2e74fe", "je,pn  ffffffff81000001"],
  ["488d2551ffa001", "lea    0x1a0ff51(%rip),%rsp        # ffffffff82a0ff58"],
  ["ff15d474a301", "call   *0x1a374d4(%rip)        # ffffffff82a374da"],
  ["ff32", "push   (%rdx)"],
  ["66662e0f1f840000000000", "data16 cs nopw 0x0(%rax,%rax,1)"],
  ["0f1f8000000000", "nopl   0x0(%rax)"],
  ["6690", "xchg   %ax,%ax"],
  ["f390", "pause"],
  ["f3c3", "repz ret"],
  ["f348ab", "rep stos %rax,%es:(%rdi)"],
  ["f3a6", "repz cmpsb %es:(%rdi),%ds:(%rsi)"],
  ["f00fb115c4e22a02", "lock cmpxchg %edx,0x22ae2c4(%rip)        # ffffffff832ae2cc"],
  ["48d1ea", "shr    $1,%rdx"],
  ["4869c0c0080000", "imul   $0x8c0,%rax,%rax"],
  ["ee", "out    %al,(%dx)"],
  ["654c8b2c2528000000", "mov    %gs:0x28,%r13"],
  ["488b04c540eb2a82", "mov    -0x7dd514c0(,%rax,8),%rax"],
  ["488b042500d05fff", "mov    0xffffffffff5fd000,%rax"],
  ["3e0fae38", "ds clflush (%rax)"],
  ["0f21d0", "mov    %db2,%rax"],
  ["0f00d8", "ltr    %eax"],
  ["0f01c9", "mwait  %eax,%ecx"],
  ["48ffe0", "rex.W jmp *%rax"],
  ["06", "(bad)"],
];

describe("x86-64 text", () => {
  it.each(OBJDUMP)("%s", (hex, expected) => {
    expect(text(hex)).toBe(expected);
  });

  it("takes only the first instruction and says its size", () => {
    expect(disassembler.instruction(bytes("488d2551ffa001c3"), AT)).toMatchObject({ size: 7, valid: true, flow: "next" });
    expect(disassembler.instruction(bytes("e8"), AT)).toMatchObject({ size: 1, valid: false });
  });

  it("tells flow and targets", () => {
    const of = (hex: string) => disassembler.instruction(bytes(hex), AT);
    expect(of("e8a0070000")).toMatchObject({ flow: "call", target: virtual(0xffffffff810007a5n) });
    expect(of("74fe").flow).toBe("conditional");
    expect(of("ffe0")).toMatchObject({ flow: "jump", target: undefined });
    expect(of("c3").flow).toBe("return");
    expect(of("0f0b").flow).toBe("trap");
    expect(of("0f05").flow).toBe("system");
  });
});

describe("x86-64 operands", () => {
  it("gives memory, registers and what is read and written", () => {
    // mov 0x28(%rax,%rcx,8),%edx
    const load = disassembler.decode(bytes("8b54c828"), AT);
    expect(load.operands).toEqual([
      {
        kind: "memory",
        segment: undefined,
        base: "rax",
        index: "rcx",
        scale: 8,
        displacement: 0x28n,
        size: 4,
        access: "read",
        writeback: undefined,
      },
      { kind: "register", name: "edx", full: "rdx", size: 4, access: "write" },
    ]);
    expect([...load.reads].sort()).toEqual(["rax", "rcx"]);
    expect(load.writes).toEqual(["rdx"]);
  });

  it("gives an absolute address for RIP-relative and segment operands", () => {
    expect(disassembler.decode(bytes("488b0550000000"), AT).operands[0]).toMatchObject({
      base: undefined,
      displacement: BigInt.asIntN(64, AT + 0x57n),
    });
    expect(disassembler.decode(bytes("654c8b2c2528000000"), AT).operands[0]).toMatchObject({
      segment: "gs",
      base: undefined,
      displacement: 0x28n,
    });
  });

  it("knows lea computes and does not read memory", () => {
    expect(disassembler.decode(bytes("488d4708"), AT).operands[0]).toMatchObject({ kind: "memory", access: "address" });
  });

  it("gives immediates in the text's order", () => {
    // add $0xffffffffffffffff,(%rdi)
    expect(disassembler.decode(bytes("488307ff"), AT).operands).toMatchObject([
      { kind: "immediate", value: 0xffffffffffffffffn },
      { kind: "memory", base: "rdi", access: "readwrite", size: 8 },
    ]);
  });
});
