import { beforeAll, expect, test } from "vitest";
import { loadDisassembler } from "../../arch/disassembler.ts";
import { registerDisassemblers } from "../../faces/cli/disassemblers.ts";
import { bytesOf, kernelWith, TEXT } from "../../type-flow/testing/composed-function.ts";
import { unlinkersOf } from "./unlinkers.ts";

beforeAll(async () => {
  registerDisassemblers();
  await Promise.all([loadDisassembler("x86_64"), loadDisassembler("aarch64")]);
});

function kernelOf(machine: "x86_64" | "aarch64", code: string) {
  const kernel = kernelWith(machine, code);
  Object.defineProperty(kernel, "modules", {
    value: [{ name: "mine", regions: [{ kind: "text", start: TEXT, size: bytesOf(code).length }] }],
  });
  return kernel;
}

// mov $0xdead000000000100,%rax; mov %rax,0x18(%rdi); ret
const X86 = "48b8000100000000adde movabs\n48894718 mov\nc3 ret";
// mov x0, #0x100; movk #0xdead, lsl #48; str x0, [x1, #24]; ret
const ARM = "002080d2 mov\na0d5fbf2 movk\n200c00f9 str\nc03f5fd6 ret";

test("the functions that leave the poison are those that unlink, with the link's place", () => {
  expect(unlinkersOf(kernelOf("x86_64", X86), "mine", undefined)).toEqual([{ function: "f", offset: 0x18 }]);
  expect(unlinkersOf(kernelOf("aarch64", ARM), "mine", 0x18)).toEqual([{ function: "f", offset: 0x18 }]);
});

test("a link elsewhere in the structure is another list's, and another module's code nobody's", () => {
  expect(unlinkersOf(kernelOf("x86_64", X86), "mine", 0x20)).toEqual([]);
  expect(unlinkersOf(kernelOf("x86_64", X86), "other", undefined)).toEqual([]);
});

test("a constant that is stored nowhere takes nothing off", () => {
  const compared = X86.replace("48894718 mov", "48394718 cmp");
  expect(unlinkersOf(kernelOf("x86_64", compared), "mine", undefined)).toEqual([]);
});
