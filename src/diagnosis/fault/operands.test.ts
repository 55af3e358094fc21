import { beforeAll, expect, it } from "vitest";
import { loadDisassembler } from "../../arch/disassembler.ts";
import { registerDisassemblers } from "../../faces/cli/disassemblers.ts";
import { instructionAt } from "./instruction-at.ts";
import { touched } from "./operands.ts";
import { kernelOf, PC } from "./testing/instruction-kernel.ts";

beforeAll(async () => {
  registerDisassemblers();
  await loadDisassembler("x86_64");
});

it("knows what string instructions, push, pop, call and ret touch", () => {
  const all = (code: string, registers: Record<string, bigint>) => {
    const kernel = kernelOf("x86_64", code);
    const instruction = instructionAt(kernel, PC);
    return touched(kernel, instruction as never, new Map(Object.entries(registers)), 0).map(({ access, address, size, reach }) => [
      access,
      address,
      reach === 0 ? size : reach,
    ]);
  };
  // rep movsb
  expect(all("f3a4", { rsi: 0x1000n, rdi: 0x2000n, rcx: 16n }).sort()).toEqual([
    ["read", 0x1000n, 16],
    ["write", 0x2000n, 16],
  ]);
  expect(all("f348ab", { rdi: 0x2000n, rcx: 4n })).toEqual([["write", 0x2000n, 32]]);
  expect(all("53", { rsp: 0x3000n })).toEqual([["write", 0x2ff8n, 8]]);
  expect(all("5b", { rsp: 0x3000n })).toEqual([["read", 0x3000n, 8]]);
  expect(all("c3", { rsp: 0x3000n })).toEqual([["read", 0x3000n, 8]]);
  // call *0x18(%rax)
  expect(all("ff5018", { rax: 0x1000n, rsp: 0x3000n })).toEqual([
    ["read", 0x1018n, 8],
    ["write", 0x2ff8n, 8],
  ]);
  // lea touches nothing.
  expect(all("488d4308", { rbx: 0n })).toEqual([]);
});
