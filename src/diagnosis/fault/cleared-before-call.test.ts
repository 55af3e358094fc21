import { beforeAll, expect, it } from "vitest";
import { loadDisassembler } from "../../arch/disassembler.ts";
import { registerDisassemblers } from "../../faces/cli/disassemblers.ts";
import { flowOf } from "../../type-flow/function-flow.ts";
import { machineOf } from "../../type-flow/machine.ts";
import { at, kernelWith, TEXT } from "../../type-flow/testing/composed-function.ts";
import { clearedBeforeCall } from "./cleared-before-call.ts";
import type { FaultCase } from "./fault-case.ts";

beforeAll(async () => {
  registerDisassemblers();
  await loadDisassembler("x86_64");
});

function told(clear: string, call: number, load: object): readonly string[] {
  const code = `
488b5708          mov    0x8(%rdi),%rdx
${clear}
ffd2              call   *%rdx
c3                ret`;
  const flow = flowOf(kernelWith("x86_64", code), TEXT);
  const step = { kind: "load", load: { offset: 8n, size: 8, comparison: "same", ...load } };
  return clearedBeforeCall({
    access: { kind: "fetch", call: { address: at(call) } },
    activations: { at: () => ({ function: "f", flow }), machine: machineOf("x86_64") },
    bad: { value: 0n, level: 0, origin: { value: 0n, steps: [step], end: "load" } },
  } as unknown as FaultCase);
}

it("says that who is called once is called twice", () => {
  const clear = "48c7470800000000  movq   $0x0,0x8(%rdi)";
  expect(told(clear, 12, { container: "struct callback_head", member: "func" })).toEqual([
    "f sets func to NULL right before it calls it: call_rcu() was given this callback_head twice, or the memory was zeroed since.",
  ]);
  expect(told(clear, 12, { container: "struct request", member: "end" })).toEqual([
    "f sets end to NULL right before it calls it: it was called from there before, or the memory was zeroed since.",
  ]);
});

it("says nothing where another member is cleared, or the same one set", () => {
  const load = { container: "struct callback_head", member: "func" };
  expect(told("48c7471000000000  movq   $0x0,0x10(%rdi)", 12, load)).toEqual([]);
  expect(told("48c7470801000000  movq   $0x1,0x8(%rdi)", 12, load)).toEqual([]);
});
