import { beforeAll, expect, it } from "vitest";
import { loadDisassembler } from "../../arch/disassembler.ts";
import { registerDisassemblers } from "../../faces/cli/disassemblers.ts";
import { flowOf } from "../../type-flow/function-flow.ts";
import { machineOf } from "../../type-flow/machine.ts";
import { at, kernelWith, TEXT } from "../../type-flow/testing/composed-function.ts";
import type { Activation } from "./activation.ts";
import { countedStep, type Ground } from "./counted-step.ts";

beforeAll(async () => {
  registerDisassemblers();
  await loadDisassembler("aarch64");
});

const TABLE = 0xffff_0000_0000_1018n;

/** x4 is known and readable; what x2 was before is lost. */
function stepAt(code: string, offset: number, value: bigint) {
  const kernel = kernelWith("aarch64", code);
  const ground = {
    kernel,
    activations: { machine: machineOf("aarch64") },
    values: {
      register: (_: number, name: string) => (name === "x4" ? { value: TABLE } : undefined),
      read: (address: bigint) => (address === TABLE ? 1n : undefined),
    },
  } as unknown as Ground;
  Object.assign(kernel.arch, { isKernelAddress: (address: bigint) => address >> 48n === 0xffffn });
  return countedStep(ground, 0, { flow: flowOf(kernel, TEXT) } as unknown as Activation, at(offset), value);
}

it("takes what is shifted for the index, though the sum was written over it", () => {
  const code = `
04600091  add x4, x0, #0x18
820c028b  add x2, x4, x2, lsl #3
445c5fc8  ldxr x4, [x2]
c0035fd6  ret`;
  expect(stepAt(code, 4, TABLE + 0x1fff_fff8n)).toMatchObject({ base: TABLE, index: 0x1fff_fff8n, scale: 8, register: "x2", into: 0x18 });
});

it("has no scale where the index was only added", () => {
  const code = `
8200028b  add x2, x4, x2
c0035fd6  ret`;
  expect(stepAt(code, 0, TABLE + 8n)).toMatchObject({ base: TABLE, index: 8n, register: "x2" });
  expect(stepAt(code, 0, TABLE + 8n)).not.toHaveProperty("scale");
});
