import { beforeAll, describe, expect, it } from "vitest";
import { loadDisassembler } from "../../arch/disassembler.ts";
import { RegisterSet } from "../../arch/registers.ts";
import { X86_64_REGISTERS } from "../../arch/x86-64-registers.ts";
import { type VirtualAddress, virtual } from "../../bytes/address.ts";
import { FormatError } from "../../bytes/errors.ts";
import { registerDisassemblers } from "../../faces/cli/disassemblers.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { functionType, INT, pointerTo, SparseMemory, ULONG, VOID } from "../../kernel/testing/small-kernel.ts";
import type { StackFrame } from "../../stack/frame.ts";
import { bytesOf, FILE, INODE, kernelWith, named, TEXT } from "../../type-flow/testing/composed-function.ts";
import type { Subject } from "../subject/subject.ts";
import { accessText, originText } from "./access-text.ts";
import type { FaultState } from "./cpu-state.ts";
import { x86PageFault } from "./error-code.ts";
import { faultCaseAt, faultCaseOf } from "./fault-case.ts";
import { helperOf, isTool } from "./helper-functions.ts";
import { accessPhrase } from "./words.ts";

beforeAll(async () => {
  registerDisassemblers();
  await loadDisassembler("x86_64");
});

const CALLER = virtual(0xffff_ffff_8100_0800n);
const COPY = virtual(0xffff_ffff_8100_0a00n);
const OBJECT = 0xffff_8880_0000_1000n;
const SUBJECT = { event: undefined, facts: undefined, cpu: 0, task: undefined, before: [], after: [], notes: [] } as unknown as Subject;

function call(base: bigint, offset: number, to: bigint): string {
  const distance = Number(BigInt.asUintN(32, to - (base + BigInt(offset + 5))));
  return `e8${[0, 8, 16, 24].map((shift) => ((distance >>> shift) & 255).toString(16).padStart(2, "0")).join("")} call`;
}

function kernelOf(caller: string, target: bigint, code = "8b4708 mov\nc3 ret"): { readonly kernel: Kernel; readonly back: VirtualAddress } {
  const memory = new SparseMemory();
  const before = bytesOf(caller);
  memory.write(CALLER, bytesOf(`${caller}\n${call(CALLER, before.length, target)}\n90\nc3`));
  // mov %rdi,%rax; mov %rdx,%rcx; rep movsb; ret
  memory.write(COPY, bytesOf("4889f8 mov\n4889d1 mov\nf3a4 rep\nc3 ret"));
  memory.write(OBJECT, new Uint8Array(64));
  const kernel = kernelWith("x86_64", code, {
    memory,
    type: named(functionType(VOID, pointerTo(INODE)), "inode"),
    symbols: { g: [CALLER, "T"], g_end: [CALLER + 0x40n, "t"], memcpy: [COPY, "T"], memcpy_end: [COPY + 0x10n, "t"] },
    functions: {
      g: named(functionType(INT, pointerTo(FILE)), "file"),
      memcpy: functionType(pointerTo(VOID), pointerTo(VOID), pointerTo(VOID), ULONG),
    },
  });
  Object.assign(kernel.arch, { stripPointer: (address: bigint) => address, virtualBits: 48 });
  return { kernel, back: virtual(CALLER + BigInt(before.length + 5)) };
}

function stateOf(
  pc: VirtualAddress,
  back: VirtualAddress,
  given: Readonly<Record<string, bigint>>,
  address: bigint,
  error: bigint,
): FaultState {
  const registers = new RegisterSet(X86_64_REGISTERS);
  for (const [name, value] of Object.entries(given)) registers.set(registers.file.names.indexOf(name), value);
  const outer = new RegisterSet(X86_64_REGISTERS);
  outer.set(3, given.rbx);
  const frames = [
    { kind: "interrupted", certainty: "exact", pc, registers },
    { kind: "call", certainty: "exact", pc: back, registers: outer },
  ] as unknown as StackFrame[];
  return {
    kind: "page fault",
    source: "exception frame",
    registers,
    pc,
    stack: { frames, stop: { complete: true, text: "" }, user: undefined },
    frame: 0,
    address,
    exception: x86PageFault(error),
    checks: [],
    consistent: true,
  };
}

describe("a fault", () => {
  it("is told with its access and where the value came from", () => {
    // mov %rdi,%rbx; mov 0x10(%rbx),%rdi; call f, which reads inode->flags
    const { kernel, back } = kernelOf("4889fb mov\n488b7b10 mov", TEXT);
    const found = faultCaseAt(kernel, SUBJECT, stateOf(TEXT, back, { rdi: 0n, rbx: OBJECT }, 8n, 0n));
    expect(accessText(found)).toBe("read of (struct inode *)0->flags [+0x8] in f+0x0");
    expect(originText(found)).toBe("passed as inode by g+0x7; loaded from (struct file *)rbx->inode [+0x10] at ffff888000001010");
    expect(found.path).toMatchObject({ container: "struct inode", member: "flags", base: "inode", access: { kind: "read", size: 4 } });
  });

  it("in a helper is its caller's, by the argument that leads to the address", () => {
    // mov 0x10(%rdi),%rsi; mov %rdi,%rbx; call memcpy: the source is the file's inode, 0x10 bytes were copied already.
    const { kernel, back } = kernelOf("4889fb mov\n488b7310 mov", COPY);
    const at = virtual(COPY + 6n);
    const found = faultCaseAt(kernel, SUBJECT, stateOf(at, back, { rsi: 0x10n, rdi: OBJECT + 0x30n, rcx: 0x20n, rbx: OBJECT }, 0x10n, 0n));
    expect(found.helper?.name).toBe("memcpy");
    expect(found.guilty.function).toBe("g");
    expect(found.bad).toMatchObject({ value: 0n, register: "rsi", level: 1, offset: 0x10n });
    expect(originText(found)).toBe("loaded from (struct file *)rbx->inode [+0x10] at ffff888000001010");
    expect(accessText(found)).toBe("read of 0 +0x10 in memcpy+0x6, called by g+0x7");
  });
});

describe("a copy that the compiler put into the code", () => {
  /** mov %rsi,%rbx; mov $0x20,%ecx; rep movsq, of f(inode, from), at the copy. */
  const COPYING = "4889f3 mov\nb920000000 mov\nf348a5 rep\nc3 ret";
  const copying = (code: string, given: Readonly<Record<string, bigint>>, address: bigint, error = 0n) => {
    const { kernel, back } = kernelOf("4889fb mov", TEXT, code);
    return faultCaseAt(kernel, SUBJECT, stateOf(virtual(TEXT + BigInt(bytesOf(code).length - 4)), back, given, address, error));
  };

  it("began where its pointer was before, and came as far as the count tells", () => {
    const found = copying(COPYING, { rbx: 0n, rsi: 0x30n, rdi: OBJECT + 0x30n, rcx: 0x1an }, 0x30n);
    expect(found.bad).toMatchObject({ value: 0n, register: "rsi", offset: 0x30n });
    expect(found.path?.copy).toEqual({ kind: "copy", done: 0x30n, total: 0x100n });
    expect(accessPhrase(found)).toBe("reads 8 bytes at offset 0x30 in a copy of 256 bytes from it");
  });

  it("is told by the count alone, and not at all when what is known does not agree", () => {
    const written = copying(COPYING, { rbx: 0x5000n, rsi: 0x5030n, rdi: OBJECT + 0x1030n, rcx: 0x1an }, OBJECT + 0x1030n, 2n);
    expect(written.bad).toMatchObject({ value: OBJECT + 0x1000n, register: "rdi", offset: 0x30n });
    const strange = copying(COPYING, { rbx: 0x5000n, rsi: 0x5040n, rdi: OBJECT + 0x1030n, rcx: 0x1an }, OBJECT + 0x1030n, 2n);
    expect(strange.path).not.toHaveProperty("copy");
    expect(strange.bad).toMatchObject({ value: OBJECT + 0x1030n, offset: 0n });
  });

  it("or a fill", () => {
    const found = copying("b908000000 mov\n90\n90\nf348ab rep\nc3 ret", { rbx: 0n, rdi: 0x10n, rcx: 6n }, 0x10n, 2n);
    expect(found.path?.copy).toEqual({ kind: "fill", done: 0x10n, total: 0x40n });
    expect(found.bad).toMatchObject({ value: 0n });
    expect(accessPhrase(found)).toBe("writes 8 bytes at offset 0x10 in a fill of 64 bytes");
  });
});

describe("types from the call on the stack", () => {
  /** f without a prototype faults at `mov 0x8(%rdi),%eax`. */
  function untyped(caller: string, words: Readonly<Record<string, bigint>> = {}) {
    const { kernel, back } = kernelOf(caller, TEXT);
    for (const [offset, word] of Object.entries(words)) (kernel.memory as unknown as SparseMemory).put(OBJECT + BigInt(offset), word);
    const find = kernel.types.prototype.bind(kernel.types);
    Object.assign(kernel.types, { prototype: (name: string) => (name === "f" ? undefined : find(name)) });
    return { kernel, back };
  }

  it("are those that the caller has in its registers", () => {
    const { kernel, back } = untyped("4889fb mov\n488b7b10 mov");
    const found = faultCaseAt(kernel, SUBJECT, stateOf(TEXT, back, { rdi: 0n, rbx: OBJECT }, 8n, 0n));
    expect(found.path).toMatchObject({ container: "struct inode", member: "flags" });
  });

  it("are not made up where the caller has none", () => {
    // mov %rdi,%rbx; mov 0x30(%rbx),%rdi: void *
    const { kernel, back } = untyped("4889fb mov\n488b7b30 mov");
    const found = faultCaseAt(kernel, SUBJECT, stateOf(TEXT, back, { rdi: 0n, rbx: OBJECT }, 8n, 0n));
    expect(found.path).not.toHaveProperty("container");
  });
});

it("tells tools from what a module calls alike", () => {
  expect(isTool({ function: "mutex_lock", module: undefined })).toBe(true);
  expect(isTool({ function: "kfree.part.0", module: undefined })).toBe(true);
  expect(isTool({ function: "mutex_lock", module: "mine" })).toBe(false);
  expect(isTool({ function: "vfs_read", module: undefined })).toBe(false);
  expect(isTool(undefined)).toBe(false);
});

it("knows helpers by all their names, and takes nothing else for one", () => {
  for (const name of [
    "memcpy",
    "__memcpy",
    "__pi_memcpy",
    "memset_orig",
    "strlen",
    "strcmp",
    "rep_movs_alternative",
    "__arch_copy_from_user",
    "__list_del_entry_valid_or_report",
    "__list_del_entry_valid.cold",
  ]) {
    expect(helperOf(name), name).toBeDefined();
  }
  for (const name of ["memcpy_and_pad", "kfree", "list_sort", "strange", "copy_process", "f"]) expect(helperOf(name), name).toBeUndefined();
});

it("that damage is in the way of is said to be there, and why nothing is told of it", () => {
  const damaged = new Proxy({} as Kernel, {
    get() {
      throw new FormatError("BTF of vmlinux", "a name at 268435456 of 1694074 bytes of strings");
    },
  });
  const subject = {
    event: { family: "fault", kind: "oops", text: "BUG: kernel NULL pointer dereference" },
    before: [],
    facts: { code: { name: "f", offset: 0 } },
  } as unknown as Subject;
  expect(faultCaseOf(damaged, subject)).toMatchObject({
    defeated: true,
    reason: expect.stringMatching(/^the fault could not be looked into: BTF of vmlinux/),
  });
});
