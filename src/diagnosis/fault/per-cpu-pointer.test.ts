import { expect, it } from "vitest";
import { SparseMemory, smallKernel } from "../../kernel/testing/small-kernel.ts";
import { perCpuCopy } from "./per-cpu-pointer.ts";

const OFFSET = 0xffff_8880_0f00_0000n;

it("takes no small number for a per-CPU pointer, though the static ones are such", () => {
  const kernel = smallKernel({ memory: new SparseMemory(), perCpuOffsets: [OFFSET] });
  expect(perCpuCopy(kernel, 0xafc8n)).toBeUndefined();
  expect(perCpuCopy(kernel, 0xffff_ffff_ffff_ffedn)).toBeUndefined();
});
