import { beforeAll, describe, expect, it } from "vitest";
import { loadDisassembler } from "../../arch/disassembler.ts";
import { RegisterSet } from "../../arch/registers.ts";
import { X86_64_REGISTERS } from "../../arch/x86-64-registers.ts";
import { virtual } from "../../bytes/address.ts";
import { registerDisassemblers } from "../../faces/cli/disassemblers.ts";
import { functionType, INT, pointerTo, SparseMemory, VOID } from "../../kernel/testing/small-kernel.ts";
import type { StackFrame, UnwoundStack } from "../../stack/frame.ts";
import { at, bytesOf, FILE, HELPER, INODE, kernelWith, named, TEXT } from "../../type-flow/testing/composed-function.ts";
import { Activations } from "./activation.ts";
import { KnownValues } from "./known-values.ts";
import { valueOrigin } from "./origin.ts";
import type { ValueOrigin } from "./origin-step.ts";

beforeAll(async () => {
  registerDisassemblers();
  await loadDisassembler("x86_64");
});

const CALLER = virtual(0xffff_ffff_8100_0800n);
const MIDDLE = virtual(0xffff_ffff_8100_0900n);
const OBJECT = 0xffff_8880_0000_1000n;
const STACK = 0xffff_c900_0000_3f00n;

/** call or jmp, 5 bytes, from an offset in code that lies at `base`. */
function branch(opcode: "e8" | "e9", base: bigint, offset: number, to: bigint): string {
  const distance = Number(BigInt.asUintN(32, to - (base + BigInt(offset + 5))));
  const bytes = [0, 8, 16, 24].map((shift) => ((distance >>> shift) & 255).toString(16).padStart(2, "0"));
  return `${opcode}${bytes.join("")}`;
}

interface Given {
  /** Of the caller, up to the call. */
  readonly caller: string;
  /** What the caller calls; f itself when left out. */
  readonly target?: bigint;
  readonly middle?: string;
  readonly rbx: bigint;
  readonly words?: Readonly<Record<string, bigint>>;
  readonly value: bigint;
  /** Of the caller, behind the call. */
  readonly behind?: string;
  /** Registers of the caller besides rbx. */
  readonly registers?: Readonly<Record<string, bigint>>;
}

/** f(struct inode *inode) faults at `mov 0x8(%rdi),%eax`. */
function slice({ caller, target = TEXT, middle, rbx, words = {}, value, behind = "", registers: more = {} }: Given): ValueOrigin {
  const memory = new SparseMemory();
  const before = bytesOf(caller);
  memory.write(CALLER, bytesOf(`${caller}\n${branch("e8", CALLER, before.length, target)}\n${behind}\n90\nc3`));
  if (middle !== undefined) memory.write(MIDDLE, bytesOf(`${middle}\n${branch("e9", MIDDLE, bytesOf(middle).length, TEXT)}`));
  memory.write(OBJECT, new Uint8Array(64));
  for (const [offset, word] of Object.entries(words))
    memory.write(OBJECT + BigInt(offset), new Uint8Array(new BigUint64Array([word]).buffer));
  const kernel = kernelWith("x86_64", "8b4708 mov\nc3 ret", {
    memory,
    type: named(functionType(VOID, pointerTo(INODE)), "inode"),
    symbols: { g: [CALLER, "T"], g_end: [CALLER + 0x40n, "t"], m: [MIDDLE, "T"], m_end: [MIDDLE + 0x20n, "t"] },
    functions: { g: named(functionType(INT, pointerTo(FILE)), "file") },
  });
  const registers = new RegisterSet(X86_64_REGISTERS);
  const outer = new RegisterSet(X86_64_REGISTERS);
  const set = (to: RegisterSet, name: string, word: bigint) => to.set(to.file.names.indexOf(name), word);
  set(registers, "rdi", value);
  set(registers, "rbx", rbx);
  set(outer, "rbx", rbx);
  set(outer, "rsp", STACK + 8n);
  for (const [name, word] of Object.entries(more)) set(outer, name, word);
  const frame = (more: Partial<StackFrame>): StackFrame => ({ certainty: "exact", ...more }) as StackFrame;
  const stack: UnwoundStack = {
    frames: [
      frame({ kind: "interrupted", pc: TEXT, registers }),
      frame({ kind: "call", pc: virtual(CALLER + BigInt(before.length + 5)), registers: outer, sp: virtual(STACK) }),
    ],
    stop: { complete: true, text: "" },
    user: undefined,
  };
  const activations = new Activations(kernel, at(0), registers, stack, 0);
  return valueOrigin(kernel, activations, new KnownValues(kernel, activations, 0, undefined), 0, "rdi", value);
}

const texts = ({ steps }: ValueOrigin) => steps.map(({ text }) => text);

/** mov %rdi,%rbx; mov 0x10(%rbx),%rdi: inode of the file. */
const LOAD = "4889fb mov\n488b7b10 mov";

describe("the slice", () => {
  it("goes through the argument to the memory it was loaded from", () => {
    const found = slice({ caller: LOAD, rbx: OBJECT, value: 0n });
    expect(texts(found)).toEqual(["passed as inode by g+0x7", "loaded from (struct file *)rbx->inode [+0x10] at ffff888000001010"]);
    expect(found).toMatchObject({ end: "load", value: 0n });
    expect(found.steps[1]?.load).toMatchObject({
      container: "struct file",
      member: "inode",
      offset: 0x10n,
      base: OBJECT,
      held: "rbx",
      comparison: "same",
      now: 0n,
    });
  });

  it("tells that memory was changed since, or is not there", () => {
    const changed = slice({ caller: LOAD, rbx: OBJECT, words: { 16: 0xffff_8880_dead_0000n }, value: 0n });
    expect(changed.steps.at(-1)?.load?.comparison).toBe("changed");
    expect(texts(changed).at(-1)).toMatch(/, which holds ffff8880dead0000 now$/);
    expect(slice({ caller: LOAD, rbx: OBJECT + 0x10_0000n, value: 0n }).steps.at(-1)?.load?.comparison).toBe("unreadable");
  });

  it("ends at what a function returned, and at what the code set", () => {
    const result = slice({ caller: `${branch("e8", CALLER, 0, HELPER)}\n4889c7 mov`, rbx: 0n, value: 0xffff_ffff_ffff_fff4n });
    expect(result.end).toBe("result");
    expect(result.steps.at(-1)).toMatchObject({ kind: "result", callee: "helper", text: "returned by helper in g+0x0" });
    // xor %edi,%edi
    const constant = slice({ caller: "31ff xor", rbx: 0n, value: 0n });
    expect(texts(constant)).toEqual(["passed as inode by g+0x2", "set to NULL at g+0x0"]);
  });

  it("undoes arithmetic", () => {
    // mov 0x10(%rbx),%rdi; sub $0x18,%rdi: container_of(NULL)
    const found = slice({ caller: `${LOAD}\n4883ef18 sub`, rbx: OBJECT, value: BigInt.asUintN(64, -0x18n) });
    expect(found.steps.map(({ kind, value }) => [kind, value])).toEqual([
      ["argument", BigInt.asUintN(64, -0x18n)],
      ["sum", BigInt.asUintN(64, -0x18n)],
      ["load", 0n],
    ]);
  });

  it("goes through a function that left by a jump", () => {
    // m: mov 0x10(%rbx),%rdi; jmp f
    const found = slice({ caller: "4889fb mov", target: MIDDLE, middle: "488b7b10 mov", rbx: OBJECT, value: 0n });
    expect(texts(found)).toEqual([
      "passed as inode by m+0x4, which goes on there by a jump",
      "loaded from *(rbx + 0x10) at ffff888000001010",
    ]);
  });

  it("ends where the call leads elsewhere", () => {
    const found = slice({ caller: LOAD, target: HELPER, rbx: OBJECT, value: 0n });
    expect(found.end).toBe("lost");
    expect(texts(found)).toEqual(["passed to f as inode by its caller, whose registers are not known"]);
  });

  it("follows the way that can have given the value where ways meet", () => {
    // mov 0x10(%rbx),%rdi; test %rdi,%rdi; jne +2; xor %edi,%edi would make 0: the value 5 came from memory.
    const code = `${LOAD}\n4885ff test\n7502 jne\n31ff xor`;
    expect(slice({ caller: code, rbx: OBJECT, words: { 16: 5n }, value: 5n }).end).toBe("load");
    expect(slice({ caller: code, rbx: OBJECT, words: { 16: 5n }, value: 0n }).end).toBe("constant");
    // Both can have given 0.
    expect(slice({ caller: code, rbx: OBJECT, value: 0n }).end).toBe("merge");
  });

  it("knows where a loop read though it has gone on since, and whose structure that was", () => {
    // mov %rdi,%r12; lea 0x10(%rdi),%rbx; again: mov (%rbx),%rdi; add $0x8,%rbx; call f; jne again
    const loop = { caller: "4989fc mov\n488d5f10 lea\n488b3b mov\n4883c308 add", behind: "75f2 jne", value: 5n, rbx: OBJECT + 0x28n };
    const found = slice({ ...loop, words: { 32: 5n }, registers: { r12: OBJECT } });
    expect(texts(found).at(-1)).toBe("loaded from (struct file *)r12->path.count [+0x20] at ffff888000001020");
    expect(found.steps.at(-1)?.load).toMatchObject({ base: OBJECT, offset: 0x20n, from: 0x10n, declared: true, comparison: "same" });
    // Nobody holds the structure any more: the place alone is known.
    const lost = slice({ ...loop, words: { 32: 5n } });
    expect(lost.steps.at(-1)?.load).toMatchObject({ address: OBJECT + 0x20n, comparison: "same", moved: true });
    expect(lost.steps.at(-1)?.load?.container).toBeUndefined();
  });

  it("takes a sum with an index apart where one side is an address", () => {
    // mov %rbx,%rsi; add %rax,%rsi; mov %rsi,%rdi
    const found = slice({ caller: "4889de mov\n4801c6 add\n4889f7 mov", rbx: OBJECT, value: OBJECT + 0x8000_0000n });
    expect(found.steps.at(-1)?.counted).toMatchObject({ base: OBJECT, index: 0x8000_0000n, register: "rax" });
    expect(texts(found).at(-1)).toBe("ffff888000001000 + 0x80000000, the index in rax, computed at g+0x3");
    // Nothing lies there: which of them is the index cannot be told.
    expect(slice({ caller: "4889de mov\n4801c6 add\n4889f7 mov", rbx: 5n, value: 9n }).end).toBe("lost");
  });

  it("reads a variable that no symbol names where the instruction says", () => {
    // mov 0x1000(%rip),%rdi, which is 7 bytes long
    const found = slice({ caller: "488b3d00100000 mov", rbx: 0n, value: 0n });
    expect(found.steps.at(-1)?.load).toMatchObject({ address: CALLER + 0x1007n, size: 8 });
    expect(texts(found).at(-1)).toBe("loaded from a variable at ffffffff81001807, which is not in the dump");
  });
});
