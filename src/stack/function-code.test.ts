import { beforeAll, expect, test } from "vitest";
import { loadDisassembler } from "../arch/disassembler.ts";
import { X86_64_REGISTERS } from "../arch/x86-64-registers.ts";
import { virtual } from "../bytes/address.ts";
import type { Scope } from "../debug-info/debug-info.ts";
import { registerDisassemblers } from "../faces/cli/disassemblers.ts";
import type { BoundDebugInfo } from "../kernel/debug-info.ts";
import { SparseMemory, smallKernel } from "../kernel/testing/small-kernel.ts";
import { recomputedTarget } from "./call-target.ts";
import { type CodeWorld, entryCopy, registerAt } from "./code-values.ts";
import { FunctionCode } from "./function-code.ts";

const AT = 0xffff_ffff_8100_0000n;
const [RAX, RBX, RSI, RDI, R12] = [0, 3, 4, 5, 12];

beforeAll(async () => {
  registerDisassemblers();
  await loadDisassembler("x86_64");
});

interface Built {
  readonly code: FunctionCode;
  readonly kernel: ReturnType<typeof smallKernel>;
  /** Addresses of the instructions, in the order they were given. */
  readonly at: readonly bigint[];
}

/** A function of instructions in hexadecimal. @param tails which of them are jumps that are calls */
function code(instructions: readonly string[], symbols: Record<string, bigint> = {}, tails: readonly number[] = []): Built {
  const bytes = instructions.map((hex) => Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16)));
  const at = [AT];
  for (const each of bytes) at.push((at.at(-1) as bigint) + BigInt(each.length));
  const memory = new SparseMemory().write(AT, Uint8Array.from(bytes.flatMap((each) => [...each])));
  const kernel = smallKernel({
    memory,
    symbols: Object.fromEntries(Object.entries(symbols).map(([name, address]) => [name, [address, "T"]])),
  });
  const scope = {
    ranges: [{ low: AT, high: at.at(-1) as bigint }],
    callSites: tails.map((index) => ({ tail: true, returnAddress: at[index + 1] })),
  } as unknown as Scope;
  const owner = { bias: 0n } as BoundDebugInfo;
  return { code: FunctionCode.of(kernel, owner, scope) as FunctionCode, kernel, at };
}

function world(more: Partial<CodeWorld> = {}): CodeWorld {
  return {
    file: X86_64_REGISTERS,
    entryRegister: (register) => 0x1000n * BigInt(register),
    stableMemory: () => undefined,
    word: () => undefined,
    now: undefined,
    ...more,
  };
}

const keeps = ({ code, at }: Built, register: number, from: number, to: number) =>
  code.keeps(X86_64_REGISTERS, register, at[from] as bigint, at[to] as bigint);

test("a register is kept until it is written, a call ends those that calls do not preserve", () => {
  // mov 0x20(%rdi),%rax; mov %rax,%rsi; call f; ret
  const f = code(["488b4720", "4889c6", "e800100000", "c3"]);
  expect(keeps(f, RDI, 0, 2)).toBe(true);
  expect(keeps(f, RDI, 0, 3)).toBe(false);
  expect(keeps(f, RBX, 0, 3)).toBe(true);
  expect(keeps(f, RSI, 0, 1)).toBe(true);
  expect(keeps(f, RSI, 0, 2)).toBe(false);
  expect(f.code.keeps(X86_64_REGISTERS, RDI, AT + 1n, AT + 7n)).toBe(false);
  // What a tracer is called with stays.
  const traced = code(["e800100000", "c3"], { __fentry__: AT + 0x1005n });
  expect(keeps(traced, RDI, 0, 1)).toBe(true);
});

test("every way counts: jumps forwards over a write, loops back to one, not what cannot be reached", () => {
  // 0: test; 1: je 3; 2: xor %edi,%edi; 3: nop; 4: ret
  const branch = code(["4885ff", "7402", "31ff", "90", "c3"]);
  expect(keeps(branch, RDI, 0, 3)).toBe(false);
  // 0: jmp 2; 1: xor %edi,%edi; 2: nop; 3: ret
  const around = code(["eb02", "31ff", "90", "c3"]);
  expect(keeps(around, RDI, 0, 2)).toBe(true);
  // 0: nop; 1: nop; 2: xor %edi,%edi; 3: jne 1; 4: ret
  const loop = code(["90", "90", "31ff", "75fb", "c3"]);
  expect(keeps(loop, RDI, 0, 1)).toBe(false);
  expect(registerAt(loop.code, world(), RDI, loop.at[1] as bigint)).toBeUndefined();
  expect(registerAt(branch.code, world(), RDI, branch.at[3] as bigint)).toBeUndefined();
  // 0: mov %rbx,%rdi; 1: jmp *(%rax) through a table: anything may follow.
  const table = code(["4889df", "ff20", "90", "31ff", "c3"]);
  expect(keeps(table, RDI, 1, 2)).toBe(false);
  const tail = code(["4889df", "ff20", "90", "31ff", "c3"], {}, [1]);
  expect(keeps(tail, RSI, 0, 1)).toBe(true);
});

test("moves, loads of memory that stays, lea and widths", () => {
  const saved = (address: bigint, size: number) =>
    address === 0x1000n * BigInt(RDI) + 0x70n ? BigInt.asUintN(size * 8, 0xffff_ffff_8000_0001n) : undefined;
  const at = (instructions: string[], register: number) => {
    const { code: built, at: places } = code([...instructions, "90", "c3"]);
    return registerAt(built, world({ stableMemory: saved }), register, places[instructions.length] as bigint);
  };
  expect(at(["488b7f70"], RDI)).toBe(0xffff_ffff_8000_0001n);
  expect(at(["8b7f70"], RDI)).toBe(0x8000_0001n);
  expect(at(["4863f7"], RSI)).toBe(0x5000n);
  // mov 0x70(%rdi),%eax; cltq
  expect(at(["8b4770", "4898"], RAX)).toBe(0xffff_ffff_8000_0001n);
  expect(at(["488d7e08"], RDI)).toBe(0x4008n);
  expect(at(["bf05000000"], RDI)).toBe(5n);
  // Memory that may have changed; arithmetic; a narrow write.
  expect(at(["488b7f08"], RDI)).toBeUndefined();
  expect(at(["4883c708"], RDI)).toBeUndefined();
  expect(at(["40b701"], RDI)).toBeUndefined();
});

test("what the function still has: the register itself, or a copy made on entry", () => {
  // 0: mov %rdi,%rbx; 1: mov %rsi,%r12; 2: call f; 3: nop; 4: ret
  const f = code(["4889fb", "4989f4", "e800100000", "90", "c3"]);
  const now = { at: f.at[2] as bigint, register: (register: number) => ({ [RBX]: 0x77n, [R12]: 0x88n })[register] };
  expect(registerAt(f.code, world({ now }), RBX, f.at[2] as bigint)).toBe(0x77n);
  expect(entryCopy(f.code, { file: X86_64_REGISTERS, now }, RDI)).toBe(0x77n);
  expect(entryCopy(f.code, { file: X86_64_REGISTERS, now }, RSI)).toBe(0x88n);
  expect(entryCopy(f.code, { file: X86_64_REGISTERS, now }, RAX)).toBeUndefined();
  // The copy was written again: inc %rbx.
  const changed = code(["4889fb", "48ffc3", "e800100000", "90", "c3"]);
  expect(entryCopy(changed.code, { file: X86_64_REGISTERS, now: { ...now, at: changed.at[2] as bigint } }, RDI)).toBeUndefined();
});

test("the target of an indirect call: loads over kept registers, thunks, the nearest of several ways", () => {
  // mov 0x28(%rbx),%rax; call *%rax
  const { code: plain, kernel, at } = code(["488b4328", "ffd0", "c3"]);
  (kernel.memory as unknown as SparseMemory).put(0x3028n, 0xffff_ffff_8200_0000n);
  expect(recomputedTarget(kernel, plain, world(), at[1] as bigint)).toBe(0xffff_ffff_8200_0000n);
  // call *0x28(%rbx)
  const direct = code(["ff5328", "c3"]);
  (direct.kernel.memory as unknown as SparseMemory).put(0x3028n, 0xffff_ffff_8200_0008n);
  expect(recomputedTarget(direct.kernel, direct.code, world(), direct.at[0] as bigint)).toBe(0xffff_ffff_8200_0008n);
  // mov %rsi,%rax; call of the thunk of rax, whose array begins there
  const thunk = code(["4889f0", "e800100000", "c3"], {
    __x86_indirect_thunk_array: AT + 0x1008n,
    __x86_indirect_thunk_rax: AT + 0x1008n,
  });
  expect(recomputedTarget(thunk.kernel, thunk.code, world(), thunk.at[1] as bigint)).toBe(0x4000n);
  expect(recomputedTarget(thunk.kernel, thunk.code, world(), virtual(AT + 1n))).toBeUndefined();
});

test("the call before a return address, also when it was patched shorter", () => {
  // call *%rax; nopl (%rax); ret
  const { code: f, at } = code(["ffd0", "0f1f00", "c3"]);
  expect(f.before(at[1] as bigint)).toBe(at[0]);
  expect(f.before(at[2] as bigint)).toBe(at[0]);
  expect(f.before(at[3] as bigint)).toBeUndefined();
});
