import { beforeAll, describe, expect, it } from "vitest";
import { disassemblerFor, loadDisassembler } from "../../arch/disassembler.ts";
import { virtual } from "../../bytes/address.ts";
import { registerDisassemblers } from "../../faces/cli/disassemblers.ts";
import { machineOf } from "../../type-flow/machine.ts";
import { bytesOf } from "../../type-flow/testing/composed-function.ts";
import { rewound } from "./rewind.ts";

beforeAll(async () => {
  registerDisassemblers();
  await Promise.all([loadDisassembler("x86_64"), loadDisassembler("aarch64")]);
});

/** Registers before the first line, from those behind the last. */
function earlier(machine: "x86_64" | "aarch64", code: readonly string[], after: Readonly<Record<string, bigint>>) {
  let pc = virtual(0xffff_ffff_8100_0000n);
  const way = code.map((line) => {
    const found = disassemblerFor(machine).decode(bytesOf(line), pc);
    pc = virtual(pc + BigInt(found.size));
    return found;
  });
  return Object.fromEntries(rewound(machineOf(machine), way.reverse(), new Map(Object.entries(after))));
}

describe("registers before a way", () => {
  it("are those behind it where nothing touched them, and lost where a load or a call did", () => {
    // mov (%rbx),%rdi
    expect(earlier("x86_64", ["488b3b mov"], { rbx: 0x1000n, rdi: 7n })).toEqual({ rbx: 0x1000n });
    // call
    expect(earlier("x86_64", ["e800000000 call"], { rbx: 1n, rax: 2n, rdi: 3n, r12: 4n })).toEqual({ rbx: 1n, r12: 4n });
  });

  it("undo sums: a loop's step, an index that was added, an address that was computed", () => {
    // add $0x8,%rbx
    expect(earlier("x86_64", ["4883c308 add"], { rbx: 0x1008n })).toEqual({ rbx: 0x1000n });
    // add %rax,%rsi
    expect(earlier("x86_64", ["4801c6 add"], { rsi: 0x1500n, rax: 0x500n })).toEqual({ rsi: 0x1000n, rax: 0x500n });
    // lea 0x10(%rbx,%rcx,8),%rdx
    expect(earlier("x86_64", ["488d54cb10 lea"], { rdx: 0x1020n, rcx: 2n })).toEqual({ rbx: 0x1000n, rcx: 2n });
    // ldr x0, [x20], #8
    expect(earlier("aarch64", ["808640f8 ldr"], { x20: 0x1008n, x0: 0n })).toEqual({ x20: 0x1000n });
  });

  it("find a register again by a copy of it", () => {
    // mov %rdi,%rbx; mov (%rdi),%rdi
    expect(earlier("x86_64", ["4889fb mov", "488b3f mov"], { rbx: 0x1000n, rdi: 5n })).toEqual({ rdi: 0x1000n });
    // add %rax,%rsi; xor %eax,%eax: the index is gone, but not where the table is known
    expect(earlier("x86_64", ["4889de mov", "4801c6 add", "31c0 xor"], { rbx: 0x1000n, rsi: 0x1500n, rax: 0n })).toMatchObject({
      rbx: 0x1000n,
      rax: 0x500n,
    });
  });

  it("are not made up from half a register, or from one that was added to itself", () => {
    // mov %edi,%ebx
    expect(earlier("x86_64", ["89fb mov"], { rbx: 0x1000n })).toEqual({});
    // add %rax,%rax
    expect(earlier("x86_64", ["4801c0 add"], { rax: 8n })).toEqual({});
  });
});
