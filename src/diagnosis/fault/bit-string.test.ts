import { beforeAll, expect, it } from "vitest";
import { loadDisassembler } from "../../arch/disassembler.ts";
import { registerDisassemblers } from "../../faces/cli/disassemblers.ts";
import { instructionAt } from "./instruction-at.ts";
import { touched } from "./operands.ts";
import { GOOD, kernelOf, PC } from "./testing/instruction-kernel.ts";

beforeAll(async () => {
  registerDisassemblers();
  await loadDisassembler("x86_64");
});

function touchedBy(code: string, registers: Record<string, bigint>) {
  const kernel = kernelOf("x86_64", code);
  return touched(kernel, instructionAt(kernel, PC) as never, new Map(Object.entries(registers)), 0);
}

// lock bts %rdx,0x18(%rdi)
const BTS = "f0480fab5718";

it("goes as far as the number of the bit says", () => {
  expect(touchedBy(BTS, { rdi: GOOD, rdx: 0xffff_ffffn })).toMatchObject([
    {
      access: "readwrite",
      address: GOOD + 0x18n + 0x1fff_fff8n,
      size: 8,
      base: { register: "rdi", value: GOOD },
      index: { register: "rdx", value: 0xffff_ffffn, bits: true },
      displacement: 0x18n,
    },
  ]);
  // Back from the operand too; bt %ecx,(%rax) counts in words of 32 bits.
  expect(touchedBy("0fa308", { rax: GOOD, rcx: 0xffff_ffffn })).toMatchObject([{ access: "read", address: GOOD - 4n, size: 4 }]);
});

it("stays where it is for a bit of the first word, and for a constant", () => {
  const [first] = touchedBy(BTS, { rdi: GOOD, rdx: 63n });
  expect(first).toMatchObject({ address: GOOD + 0x18n });
  expect(first?.index).toBeUndefined();
  // lock btsq $0x3,(%rdi)
  expect(touchedBy("f0480fba2f03", { rdi: GOOD })).toMatchObject([{ address: GOOD }]);
});

it("is a member of what is not there, when the bitmap is not there", () => {
  const [word] = touchedBy(BTS, { rdi: 0n, rdx: 70n });
  expect(word).toMatchObject({ address: 0x20n, displacement: 0x20n });
  expect(word?.index).toBeUndefined();
});

it("is unknown with the number", () => {
  expect(touchedBy(BTS, { rdi: GOOD })[0]?.address).toBeUndefined();
});
