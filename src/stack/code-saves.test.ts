import { describe, expect, it } from "vitest";
import { ARM64_SAVES } from "../arch/arm64-register-saves.ts";
import { ARM64_REGISTERS, FP, LR, SP } from "../arch/arm64-registers.ts";
import type { FlowMachine } from "../arch/register-effects.ts";
import { RegisterSet } from "../arch/registers.ts";
import { X86_SAVES } from "../arch/x86-64-register-saves.ts";
import { R12, RBP, RBX, RSP, X86_64_REGISTERS } from "../arch/x86-64-registers.ts";
import { type VirtualAddress, virtual } from "../bytes/address.ts";
import { CodeSaves } from "./code-saves.ts";
import { FakeStackKernel, STACK } from "./testing/fake-stack-kernel.ts";

const TEXT = 0xffff_ffff_8100_0000n;
const SIZE = 0x100n;

/** Functions of 256 bytes each, one after another. */
function code(machine: FlowMachine, functions: Readonly<Record<string, readonly number[]>>) {
  const kernel = new FakeStackKernel(machine === X86_SAVES ? "x86_64" : "arm64");
  const names = Object.keys(functions);
  const start = (name: string) => virtual(TEXT + BigInt(names.indexOf(name)) * SIZE);
  for (const [name, bytes] of Object.entries(functions)) {
    const filled = new Uint8Array(Number(SIZE)).fill(machine === X86_SAVES ? 0xcc : 0);
    filled.set(bytes);
    kernel.memory.write(start(name), filled);
  }
  const place = (pc: VirtualAddress, isReturnAddress: boolean) => {
    const at = pc - (isReturnAddress ? 1n : 0n);
    const name = names[Number((at - TEXT) / SIZE)];
    if (at < TEXT || name === undefined) return undefined;
    return { function: name, offset: Number(pc - start(name)), module: undefined, start: start(name) };
  };
  const saves = new CodeSaves(kernel.kernel.memory, machine, {
    place,
    endOf: (address) => virtual(address + SIZE),
    named: (name) => names.filter((each) => each.replace(/#\d+$/, "") === name).map(start),
    isEntry: (pc) => place(virtual(pc), false)?.function === "entry",
  });
  return { kernel, saves, at: (name: string, offset: number) => virtual(start(name) + BigInt(offset)) };
}

function x86Frame(pc: VirtualAddress, sp: bigint, cfa: bigint, interrupted = false, fp?: bigint) {
  const registers = new RegisterSet(X86_64_REGISTERS);
  registers.set(RSP, sp);
  registers.set(RBP, fp);
  registers.set(RBX, 0xbn);
  registers.set(R12, 0x12n);
  return { state: { registers, pc, interrupted }, cfa, record: undefined };
}

// push %rbp; push %rbx; sub $8,%rsp; call; add $8,%rsp; pop %rbx; pop %rbp; ret
const PLAIN = [0x55, 0x53, 0x48, 0x83, 0xec, 0x08, 0xe8, 0, 0, 0, 0, 0x48, 0x83, 0xc4, 0x08, 0x5b, 0x5d, 0xc3];
const BACK = 11;

describe("x86-64", () => {
  const sp = STACK + 512n;

  it("reads what the code saved from where the proved frame has it", () => {
    const { kernel, saves, at } = code(X86_SAVES, { plain: PLAIN });
    kernel.words(sp, 0n, 0xb0bn, 0xbbbn, 0x1234n);
    const found = saves.callerRegisters(x86Frame(at("plain", BACK), sp, sp + 32n));
    expect(found && Object.fromEntries(found)).toEqual({ [RSP]: sp + 32n, [RBX]: 0xb0bn, [RBP]: 0xbbbn, [R12]: 0x12n });
  });

  it("gives nothing when the frame is not as the code makes it", () => {
    const { saves, at } = code(X86_SAVES, { plain: PLAIN });
    expect(saves.callerRegisters(x86Frame(at("plain", BACK), sp, sp + 40n))).toBeUndefined();
    expect(saves.callerRegisters(x86Frame(at("plain", BACK - 1), sp, sp + 32n))).toBeUndefined();
    expect(saves.callerRegisters(x86Frame(virtual(TEXT - 8n), sp, sp + 32n))).toBeUndefined();
  });

  it("knows a function that was interrupted before it had saved all", () => {
    const { kernel, saves, at } = code(X86_SAVES, { plain: PLAIN });
    kernel.words(sp, 0xbbbn, 0x1234n);
    const found = saves.callerRegisters(x86Frame(at("plain", 1), sp, sp + 16n, true));
    expect(found && Object.fromEntries(found)).toEqual({ [RSP]: sp + 16n, [RBP]: 0xbbbn, [RBX]: 0xbn, [R12]: 0x12n });
  });

  it("goes by the frame pointer where the stack pointer is computed", () => {
    // push %rbp; mov %rsp,%rbp; push %rbx; sub %rax,%rsp; call
    const { kernel, saves, at } = code(X86_SAVES, { dynamic: [0x55, 0x48, 0x89, 0xe5, 0x53, 0x48, 0x29, 0xc4, 0xe8, 0, 0, 0, 0, 0xc3] });
    const fp = sp + 256n;
    kernel.words(fp - 8n, 0xb0bn, 0xbbbn, 0x1234n);
    expect(saves.callerRegisters(x86Frame(at("dynamic", 13), sp, fp + 16n, false, fp))?.get(RBX)).toBe(0xb0bn);
    expect(saves.callerRegisters(x86Frame(at("dynamic", 13), sp, fp + 24n, false, fp))).toBeUndefined();
    expect(saves.callerRegisters(x86Frame(at("dynamic", 13), sp, fp + 16n))).toBeUndefined();
  });

  it("follows a function into its cold part, that of its own among several of one name", () => {
    // push %rbx; jmp to the cold part; the other function of that name saves nothing and does not jump there.
    const jump = Number(SIZE) * 2 - 6;
    const { kernel, saves, at } = code(X86_SAVES, {
      "f#1": [0xe8, 0, 0, 0, 0, 0xc3],
      f: [0x53, 0xe9, (jump - Number(SIZE)) & 0xff, (jump - Number(SIZE)) >> 8, 0, 0, 0x5b, 0xc3],
      "f.cold": [0xe8, 0, 0, 0, 0, 0x0f, 0x0b],
    });
    kernel.words(sp, 0xb0bn, 0x1234n);
    expect(saves.callerRegisters(x86Frame(at("f.cold", 5), sp, sp + 16n))?.get(RBX)).toBe(0xb0bn);
  });

  it("leaves alone code that keeps no convention, and what follows a call that does not return", () => {
    const { saves, at } = code(X86_SAVES, {
      entry: PLAIN,
      panic: [0xc3],
      user: [0x53, 0xe8, 0xfa, 0xfe, 0xff, 0xff, 0xe8, 0, 0, 0, 0, 0xc3],
    });
    expect(saves.callerRegisters(x86Frame(at("entry", BACK), sp, sp + 32n))).toBeUndefined();
    expect(saves.callerRegisters(x86Frame(at("user", 6), sp, sp + 16n))).toBeDefined();
    expect(saves.callerRegisters(x86Frame(at("user", 11), sp, sp + 16n))).toBeUndefined();
  });

  it("knows that a function may return from its cold part, and one whose cold part does not cannot", () => {
    // jmp to the cold part; there ret, or ud2
    const jump = [0xe9, 0xfb, 0, 0, 0];
    const { saves, at } = code(X86_SAVES, {
      warned: jump,
      "warned.cold": [0xc3],
      dead: jump,
      "dead.cold": [0x0f, 0x0b],
      // push %rbx; call warned (dead); call; ret
      user: [0x53, 0xe8, 0xfa, 0xfb, 0xff, 0xff, 0xe8, 0, 0, 0, 0, 0xc3],
      other: [0x53, 0xe8, 0xfa, 0xfc, 0xff, 0xff, 0xe8, 0, 0, 0, 0, 0xc3],
    });
    expect(saves.callerRegisters(x86Frame(at("user", 11), sp, sp + 16n))).toBeDefined();
    expect(saves.callerRegisters(x86Frame(at("other", 11), sp, sp + 16n))).toBeUndefined();
  });
});

describe("arm64", () => {
  const words = (...list: number[]) => list.flatMap((word) => [word & 255, (word >> 8) & 255, (word >> 16) & 255, (word >>> 24) & 255]);
  // stp x29, x30, [sp, #-32]!; mov x29, sp; str x19, [sp, #16]; bl; …
  const PLAIN_ARM = words(0xa9be7bfd, 0x910003fd, 0xf9000bf3, 0x94000040, 0xd65f03c0);
  const record = STACK + 512n;

  function frame(pc: VirtualAddress, more: { readonly record?: bigint; readonly sp?: bigint }) {
    const registers = new RegisterSet(ARM64_REGISTERS);
    registers.set(FP, more.record);
    registers.set(SP, more.sp);
    registers.set(19, 0x19n);
    registers.set(20, 0x20n);
    return { state: { registers, pc, interrupted: false }, cfa: undefined, record: more.record };
  }

  it("finds the frame from its record, and wants the stack pointer to agree where it is known", () => {
    const { kernel, saves, at } = code(ARM64_SAVES, { plain: PLAIN_ARM });
    kernel.words(record, 0xf9n, 0x1234n, 0x99n, 0n);
    for (const sp of [undefined, record]) {
      const found = saves.callerRegisters(frame(at("plain", 16), sp === undefined ? { record } : { record, sp }));
      expect([19, 20, FP, SP].map((register) => found?.get(register))).toEqual([0x99n, 0x20n, 0xf9n, record + 32n]);
    }
    expect(saves.callerRegisters(frame(at("plain", 16), { record, sp: record - 16n }))).toBeUndefined();
  });

  it("knows a function that saved nothing by its stack pointer", () => {
    const { saves, at } = code(ARM64_SAVES, { leaf: words(0xd503201f, 0xd503201f, 0xd65f03c0) });
    const leaf = frame(at("leaf", 4), { sp: record });
    const found = saves.callerRegisters({ ...leaf, state: { ...leaf.state, interrupted: true } });
    expect([19, SP, LR].map((register) => found?.get(register))).toEqual([0x19n, record, undefined]);
  });
});
