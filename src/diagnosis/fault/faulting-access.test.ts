import { beforeAll, describe, expect, it } from "vitest";
import { ARM64_REGISTERS } from "../../arch/arm64-registers.ts";
import { loadDisassembler } from "../../arch/disassembler.ts";
import { RegisterSet } from "../../arch/registers.ts";
import { X86_64_REGISTERS } from "../../arch/x86-64-registers.ts";
import { virtual } from "../../bytes/address.ts";
import { registerDisassemblers } from "../../faces/cli/disassemblers.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { SparseMemory } from "../../kernel/testing/small-kernel.ts";
import type { Activation } from "./activation.ts";
import type { FaultState } from "./cpu-state.ts";
import { arm64Syndrome, x86PageFault } from "./error-code.ts";
import { type FaultingAccess, faultingAccess } from "./faulting-access.ts";
import { GOOD, kernelOf, PC } from "./testing/instruction-kernel.ts";

beforeAll(async () => {
  registerDisassemblers();
  await Promise.all([loadDisassembler("x86_64"), loadDisassembler("aarch64")]);
});

interface Given {
  readonly registers: Readonly<Record<string, bigint>>;
  readonly address?: bigint;
  readonly error?: bigint;
  readonly kind?: FaultState["kind"];
}

function accessOf(kernel: Kernel, { registers, address, error, kind = "page fault" }: Given): FaultingAccess {
  const isArm = kernel.arch.name === "aarch64";
  const set = new RegisterSet(isArm ? ARM64_REGISTERS : X86_64_REGISTERS);
  for (const [name, value] of Object.entries(registers)) set.set(set.file.names.indexOf(name), value);
  const state: FaultState = {
    kind,
    source: "log",
    registers: set,
    pc: PC,
    ...(address === undefined ? {} : { address }),
    ...(error === undefined ? {} : { exception: isArm ? arm64Syndrome(error) : x86PageFault(error) }),
    checks: [],
    consistent: true,
  };
  const fault: Activation = {
    frame: undefined,
    pc: PC,
    function: "f",
    module: undefined,
    offset: 0,
    flow: undefined,
    registers: new Map(Object.entries(registers)),
    cfa: undefined,
    byJump: false,
  };
  return faultingAccess(kernel, state, fault, undefined, 1);
}

const culprit = (access: FaultingAccess) =>
  access.kind === "memory" ? access.culprit.text : access.kind === "unknown" ? access.reason : access.kind;

describe("x86-64", () => {
  it("finds the operand that holds the fault address", () => {
    // mov %eax,0x8(%rbx)
    const kernel = kernelOf("x86_64", "894308");
    expect(accessOf(kernel, { registers: { rbx: 0n }, address: 8n, error: 2n })).toMatchObject({
      kind: "memory",
      address: 8n,
      culprit: { access: "write", size: 4, base: { register: "rbx", value: 0n } },
    });
    // The second byte of it, on the next page.
    expect(accessOf(kernel, { registers: { rbx: 0xff5n }, address: 0x1000n, error: 2n }).kind).toBe("memory");
  });

  it("says so where nothing holds it, and where the error code speaks against it", () => {
    const kernel = kernelOf("x86_64", "894308");
    expect(culprit(accessOf(kernel, { registers: { rbx: 0n }, address: 0x100n, error: 2n }))).toMatch(
      /^no operand of mov holds the fault address 0000000000000100: 0x8\(%rbx\) = 0000000000000008/,
    );
    expect(culprit(accessOf(kernel, { registers: { rbx: 0n }, address: 8n, error: 0n }))).toMatch(/^the error code says read/);
    expect(accessOf(kernel, { registers: {}, address: 8n, error: 2n }).kind).toBe("unknown");
  });

  it("adds the CPU's own area to %gs", () => {
    // mov %gs:0x10(%rax),%rcx
    const kernel = kernelOf("x86_64", "65488b4810");
    const found = accessOf(kernel, { registers: { rax: 0x100n }, address: 0xffff_8880_0f00_0110n, error: 0n });
    expect(found).toMatchObject({ kind: "memory", culprit: { text: "%gs:0x10(%rax)", segmentBase: 0xffff_8880_0f00_0000n } });
  });

  it("scales an index and takes base and index apart", () => {
    // mov 0x8(%rax,%rcx,8),%rdx
    const kernel = kernelOf("x86_64", "488b54c808");
    expect(
      accessOf(kernel, {
        registers: { rax: GOOD, rcx: 0x1000_0000_0000n },
        address: BigInt.asUintN(64, GOOD + 0x8000_0000_0000n + 8n),
        error: 0n,
      }),
    ).toMatchObject({
      kind: "memory",
      culprit: { base: { value: GOOD }, index: { register: "rcx", scale: 8 } },
    });
  });

  it("picks the operand that is not canonical for a protection fault", () => {
    // incq (%rdi)
    const kernel = kernelOf("x86_64", "48ff07");
    const poisoned = { rdi: 0x6b6b_6b6b_6b6b_6b6bn };
    expect(culprit(accessOf(kernel, { registers: poisoned, kind: "general protection" }))).toBe("(%rdi)");
    expect(culprit(accessOf(kernel, { registers: { rdi: GOOD }, kind: "general protection" }))).toMatch(
      /^all operands of inc\w* are canonical/,
    );
    // call *%rax faults where it starts from.
    const call = kernelOf("x86_64", "ffd0");
    expect(accessOf(call, { registers: { rax: 0xdead_4ead_1234_5678n, rsp: GOOD }, kind: "general protection" })).toMatchObject({
      kind: "fetch",
      target: 0xdead_4ead_1234_5678n,
    });
  });

  it("takes the address that a kernel before 5.12 prints, without the displacement", () => {
    // mov %rdx,0x8(%rax)
    const kernel = kernelOf("x86_64", "48895008");
    const given = (address: bigint) =>
      accessOf(kernel, { registers: { rax: 0x6b6b_6b6b_6b6b_6b6bn }, kind: "general protection", address }).checks.map(
        ({ agrees }) => agrees,
      );
    expect(given(0x6b6b_6b6b_6b6b_6b73n)).toEqual([true, true]);
    expect(given(0x6b6b_6b6b_6b6b_6b6bn)).toEqual([true, true]);
    expect(given(0x6b6b_6b6b_6b6b_6b83n)).toEqual([true, false]);
  });

  it("tells a return from a call by what the stack pointer leads to", () => {
    const kernel = kernelOf("x86_64", "ff d0 90");
    (kernel.memory as unknown as SparseMemory).put(GOOD, PC + 2n);
    const fetched = (registers: Readonly<Record<string, bigint>>) => {
      const set = new RegisterSet(X86_64_REGISTERS);
      for (const [name, value] of Object.entries(registers)) set.set(set.file.names.indexOf(name), value);
      const state: FaultState = {
        kind: "page fault",
        source: "log",
        registers: set,
        pc: virtual(0x4141n),
        address: 0x4141n,
        checks: [],
        consistent: true,
      };
      return faultingAccess(kernel, state, { registers: new Map() } as unknown as Activation, undefined, 1);
    };
    // A return address behind a call: it was a call.
    expect(fetched({ rsp: GOOD })).toMatchObject({ kind: "fetch" });
    expect(fetched({ rsp: GOOD })).not.toHaveProperty("returned");
    // Anything else: a return took the address off the stack.
    expect(fetched({ rsp: GOOD + 8n })).toMatchObject({ kind: "fetch", returned: true });
  });

  it("takes an instruction that the CPU does not know for a trap", () => {
    expect(accessOf(kernelOf("x86_64", "66 0f ae f1"), { registers: {}, kind: "invalid opcode" }).kind).not.toBe("memory");
  });

  it("without an address blames the only operand that cannot have worked", () => {
    // mov (%rax),%rcx; then both in one: movsq
    expect(culprit(accessOf(kernelOf("x86_64", "488b08"), { registers: { rax: 0n } }))).toBe("(%rax)");
    expect(culprit(accessOf(kernelOf("x86_64", "488b08"), { registers: { rax: GOOD } }))).toMatch(/^the fault address is not known/);
    expect(culprit(accessOf(kernelOf("x86_64", "48a5"), { registers: { rsi: 0n, rdi: 0x10n } }))).toMatch(/several operands/);
  });

  it("concludes nothing from registers that disagree with the log", () => {
    const kernel = kernelOf("x86_64", "894308");
    const state: FaultState = {
      kind: "page fault",
      source: "exception frame",
      registers: new RegisterSet(X86_64_REGISTERS),
      pc: PC,
      checks: [{ what: "rbx differs", agrees: false }],
      consistent: false,
    };
    const found = faultingAccess(kernel, state, { registers: new Map() } as unknown as Activation, undefined, 0);
    expect(found).toMatchObject({ kind: "unknown", reason: expect.stringContaining("rbx differs") });
  });
});

describe("arm64", () => {
  it("pairs, write-back and extended indexes", () => {
    // ldp x1, x2, [x0], #16
    expect(
      accessOf(kernelOf("aarch64", "010840a9".replace("40a9", "c1a8")), { registers: { x0: 0x10n }, address: 0x18n, error: 0x9600_0006n }),
    ).toMatchObject({
      kind: "memory",
      culprit: { size: 16, base: { register: "x0", value: 0x10n } },
    });
    // str x0, [x1, #16]!
    expect(accessOf(kernelOf("aarch64", "200c01f8"), { registers: { x1: 0n }, address: 0x10n, error: 0x9600_0046n })).toMatchObject({
      kind: "memory",
      culprit: { access: "write" },
    });
    // ldr x0, [x1, w2, sxtw #3]
    expect(
      accessOf(kernelOf("aarch64", "20d862f8"), { registers: { x1: 0x20n, x2: 0xffff_fffen }, address: 0x10n, error: 0x9600_0006n }).kind,
    ).toBe("memory");
  });

  it("leaves a pointer's tag out", () => {
    // ldr x0, [x1]: the register has a tag, the fault address register has none.
    const found = accessOf(kernelOf("aarch64", "200040f9"), {
      registers: { x1: 0xf3ff_8000_0000_1000n },
      address: 0xffff_8000_0000_1000n,
      error: 0x9600_0011n,
    });
    expect(found.kind).toBe("memory");
    // What is no kernel address is reported from bit 55 on.
    const poisoned = accessOf(kernelOf("aarch64", "200040f9"), {
      registers: { x1: 0x6b6b_6b6b_6b6b_6b6bn },
      address: 0x006b_6b6b_6b6b_6b6bn,
      error: 0x9600_0004n,
    });
    expect(poisoned).toMatchObject({ kind: "memory", culprit: { base: { value: 0x6b6b_6b6b_6b6b_6b6bn } } });
  });
});
