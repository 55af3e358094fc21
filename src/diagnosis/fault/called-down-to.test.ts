import { beforeAll, expect, test } from "vitest";
import { loadDisassembler } from "../../arch/disassembler.ts";
import { RegisterSet } from "../../arch/registers.ts";
import { X86_64_REGISTERS } from "../../arch/x86-64-registers.ts";
import { virtual } from "../../bytes/address.ts";
import { registerDisassemblers } from "../../faces/cli/disassemblers.ts";
import { SparseMemory } from "../../kernel/testing/small-kernel.ts";
import { bytesOf, kernelWith, TEXT } from "../../type-flow/testing/composed-function.ts";
import { calledDownTo } from "./called-down-to.ts";

beforeAll(async () => {
  registerDisassemblers();
  await loadDisassembler("x86_64");
});

const OUTER = virtual(0xffff_ffff_8100_0800n);
const INNER = virtual(0xffff_ffff_8100_0900n);
const WHOLE = 0xffff_c900_0000_3f00n;
/** f has 0x20 bytes of stack in use at its call, its return address among them. */
const SP = WHOLE + 8n - 0x20n;

function call(base: bigint, offset: number, to: bigint): string {
  const distance = Number(BigInt.asUintN(32, to - (base + BigInt(offset + 5))));
  return `e8${[0, 8, 16, 24].map((shift) => ((distance >>> shift) & 255).toString(16).padStart(2, "0")).join("")} call`;
}

/** outer calls f, f calls inner, and inner returned to nowhere. */
function returned(inner: string, rsi: bigint, { whole = true, pointer = false } = {}) {
  const memory = new SparseMemory();
  memory.write(OUTER, bytesOf(`${call(OUTER, 0, TEXT)}\nc3 ret`));
  memory.write(INNER, bytesOf(inner));
  memory.write(WHOLE - 0x100n, new Uint8Array(0x600));
  if (whole) memory.put(WHOLE, OUTER + 5n);
  // sub $0x18,%rsp; call inner, or call *0x8(%rbx); add $0x18,%rsp; ret
  const f = `4883ec18 sub\n${pointer ? "488b4308 mov 0x8(%rbx),%rax\nffd0 call *%rax" : call(TEXT, 4, INNER)}\n4883c418 add\nc3 ret`;
  const kernel = kernelWith("x86_64", f, {
    memory,
    symbols: {
      outer: [OUTER, "T"],
      outer_end: [OUTER + 6n, "t"],
      inner: [INNER, "T"],
      inner_end: [INNER + BigInt(bytesOf(inner).length), "t"],
    },
  });
  const registers = new RegisterSet(X86_64_REGISTERS);
  const names = X86_64_REGISTERS.names;
  registers.set(names.indexOf("rsi"), rsi);
  registers.set(names.indexOf("rsp"), SP);
  if (pointer) {
    memory.put(WHOLE + 0x100n, INNER);
    registers.set(names.indexOf("rbx"), WHOLE + 0xf8n);
  }
  return calledDownTo(kernel, SP, registers, 0, undefined);
}

/** sub $0x10,%rsp; lea 0x8(%rsp),%rsi; add $0x10,%rsp; ret: rsi is 0x10 below its frame. */
const BUFFER = "4883ec10 sub\n488d742408 lea\n4883c410 add\nc3 ret";

test("the function whose frame began where the stack pointer is, when a register still holds an address of its stack", () => {
  expect(returned(BUFFER, SP - 0x10n)).toMatchObject({
    function: "inner",
    chain: ["f", "inner"],
    at: WHOLE,
    witness: "rsi = ffffc90000003ed8",
  });
});

test("is found through a pointer that a preserved register leads to", () => {
  expect(returned(BUFFER, SP - 0x10n, { pointer: true })).toMatchObject({ function: "inner" });
});

test("none when the register is another's, when nothing proves it, or when no return address above is whole", () => {
  expect(returned(BUFFER, SP - 0x18n)).toBeUndefined();
  expect(returned("4883ec10 sub\n4883c410 add\nc3 ret", SP - 0x10n)).toBeUndefined();
  expect(returned(BUFFER, SP - 0x10n, { whole: false })).toBeUndefined();
});
