import { beforeAll, describe, expect, it } from "vitest";
import { loadDisassembler } from "../../arch/disassembler.ts";
import { RegisterSet } from "../../arch/registers.ts";
import { X86_64_REGISTERS } from "../../arch/x86-64-registers.ts";
import { virtual } from "../../bytes/address.ts";
import { registerDisassemblers } from "../../faces/cli/disassemblers.ts";
import { functionType, pointerTo, SparseMemory, VOID } from "../../kernel/testing/small-kernel.ts";
import type { StackFrame } from "../../stack/frame.ts";
import { INODE, kernelWith, named, TEXT } from "../../type-flow/testing/composed-function.ts";
import type { Subject } from "../subject/subject.ts";
import { accessText } from "./access-text.ts";
import type { FaultState } from "./cpu-state.ts";
import { faultCaseAt } from "./fault-case.ts";

beforeAll(async () => {
  registerDisassemblers();
  await loadDisassembler("x86_64");
});

const SUBJECT = { event: undefined, facts: undefined, cpu: 0, task: undefined, before: [], after: [], notes: [] } as unknown as Subject;
const SHADOW = 0xdfff_fc00_0000_0000n;
const REPORT = virtual(0xffff_ffff_8100_0700n);

/** f(struct inode *inode): reads or writes inode->flags behind KASAN's check. */
const code = (access: string) => `4889fb mov %rdi,%rbx
488d7b08 lea 0x8(%rbx),%rdi
4889f8 mov %rdi,%rax
48c1e803 shr $3,%rax
803c1000 cmpb $0,(%rax,%rdx)
7501 jne
90 nop
${access}
c3 ret`;
const CHECK = virtual(TEXT + 14n);

function caseOf(given: Readonly<Record<string, bigint>>, address: bigint, { access = "8b4308 mov", kasan = true } = {}) {
  const kernel = kernelWith("x86_64", code(access), {
    memory: new SparseMemory(),
    type: named(functionType(VOID, pointerTo(INODE)), "inode"),
    symbols: kasan ? { kasan_report: [REPORT, "T"] } : {},
  });
  Object.assign(kernel.arch, { stripPointer: (each: bigint) => each, virtualBits: 48 });
  const registers = new RegisterSet(X86_64_REGISTERS);
  for (const [name, value] of Object.entries(given)) registers.set(registers.file.names.indexOf(name), value);
  const frames = [{ kind: "interrupted", certainty: "exact", pc: CHECK, registers }] as unknown as StackFrame[];
  const state: FaultState = {
    kind: "general protection",
    source: "exception frame",
    registers,
    pc: CHECK,
    stack: { frames, stop: { complete: true, text: "" }, user: undefined },
    frame: 0,
    address,
    checks: [],
    consistent: true,
  };
  return faultCaseAt(kernel, SUBJECT, state);
}

describe("a fault on KASAN's shadow", () => {
  it("is that of the access behind the check, with its pointer, member and kind", () => {
    const found = caseOf({ rbx: 0n, rdi: 8n, rax: 1n, rdx: SHADOW }, SHADOW + 1n);
    expect(found.access).toMatchObject({ kind: "memory", address: 8n, shadow: SHADOW + 1n });
    expect(found.bad).toMatchObject({ value: 0n, register: "rbx", offset: 8n });
    expect(accessText(found)).toBe("read of (struct inode *)0->flags [+0x8] in f+0xe");
    const written = caseOf({ rbx: 0n, rdi: 8n, rax: 1n, rdx: SHADOW }, SHADOW + 1n, { access: "894308 mov" });
    expect(written.path).toMatchObject({ access: { kind: "write", size: 4 }, container: "struct inode", member: "flags" });
  });

  it("of a poisoned pointer gives the pointer", () => {
    const poison = 0xdead_0000_0000_0100n;
    const shadow = BigInt.asUintN(64, SHADOW + ((poison + 8n) >> 3n));
    const found = caseOf({ rbx: poison, rdi: poison + 8n, rax: (poison + 8n) >> 3n, rdx: SHADOW }, shadow);
    expect(found.bad).toMatchObject({ value: poison, register: "rbx" });
  });

  it("gives the eight bytes when no register holds the address any more", () => {
    const found = caseOf({ rbx: 0x100n, rdi: 0x500n, rax: 1n, rdx: SHADOW }, SHADOW + 1n);
    expect(found.access).toMatchObject({ address: 8n });
    expect(found.bad).toMatchObject({ value: 8n });
  });

  it("is none in a kernel without KASAN", () => {
    const found = caseOf({ rbx: 0n, rdi: 8n, rax: 1n, rdx: SHADOW }, SHADOW + 1n, { kasan: false });
    expect(found.access).toMatchObject({ address: SHADOW + 1n });
    expect(found.access).not.toHaveProperty("shadow");
  });
});
