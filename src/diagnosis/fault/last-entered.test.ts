import { beforeAll, expect, test } from "vitest";
import { ARM64_REGISTERS } from "../../arch/arm64-registers.ts";
import { loadDisassembler } from "../../arch/disassembler.ts";
import { RegisterSet } from "../../arch/registers.ts";
import { virtual } from "../../bytes/address.ts";
import { registerDisassemblers } from "../../faces/cli/disassemblers.ts";
import { SparseMemory } from "../../kernel/testing/small-kernel.ts";
import { bytesOf, kernelWith, TEXT } from "../../type-flow/testing/composed-function.ts";
import { lastEntered } from "./last-entered.ts";

beforeAll(async () => {
  registerDisassemblers();
  await loadDisassembler("aarch64");
});

const INNER = virtual(0xffff_ffff_8100_0800n);
const LEAF = virtual(0xffff_ffff_8100_0900n);
const SP = 0xffff_8000_1002_bd80n;
/** f's frame has 16 bytes, inner's 32 below. */
const INNER_SP = SP - 0x30n;

function call(from: bigint, to: bigint): string {
  const word = (0x9400_0000 | (Number(BigInt.asIntN(64, to - from) / 4n) & 0x3ff_ffff)) >>> 0;
  return `${[0, 8, 16, 24].map((shift) => ((word >>> shift) & 255).toString(16).padStart(2, "0")).join("")} bl`;
}

/** mov x9, x30; stp x29, x30, [sp, #-32]!; mov x29, sp; bl leaf; add x3, sp, #0x18; ldp x29, x30, [sp], #32; ret */
const inner = `e9031eaa mov\nfd7bbea9 stp\nfd030091 mov\n${call(INNER + 12n, LEAF)}\ne3630091 add\nfd7bc2a8 ldp\nc0035fd6 ret`;
/** mov x9, x30; stp x29, x30, [sp, #-16]!; bl inner; ldp x29, x30, [sp], #16; ret */
const f = `e9031eaa mov\nfd7bbfa9 stp\n${call(TEXT + 8n, INNER)}\nfd7bc1a8 ldp\nc0035fd6 ret`;

function entered(given: Readonly<Record<string, bigint>>, sp = SP, leaf = "e9031eaa mov\nc0035fd6 ret") {
  const memory = new SparseMemory();
  memory.write(INNER, bytesOf(inner));
  memory.write(LEAF, bytesOf(`${leaf}\n1f2003d5 nop`));
  const kernel = kernelWith("aarch64", f, {
    memory,
    symbols: {
      inner: [INNER, "T"],
      inner_end: [INNER + BigInt(bytesOf(inner).length), "t"],
      leaf: [LEAF, "T"],
      leaf_end: [LEAF + BigInt(bytesOf(leaf).length), "t"],
    },
  });
  Object.defineProperty(kernel, "modules", {
    value: [{ name: undefined, regions: [{ kind: "text", start: TEXT, size: bytesOf(f).length }] }],
  });
  Object.assign(kernel.arch, { stripPointer: (address: bigint) => address });
  const registers = new RegisterSet(ARM64_REGISTERS);
  for (const [name, value] of Object.entries(given)) registers.set(ARM64_REGISTERS.names.indexOf(name), value);
  return lastEntered(kernel, sp, registers);
}

const RETURN = INNER + 16n;

test("the caller of the function that entered another last, when its frame begins at the stack pointer", () => {
  expect(entered({ x9: RETURN, x3: INNER_SP + 0x18n })).toMatchObject({ function: "f" });
});

test("that function itself, when the frame is its own", () => {
  expect(entered({ x9: RETURN, x3: INNER_SP + 0x18n }, SP - 0x10n)).toMatchObject({ function: "inner" });
});

test("none when no register proves the frame, x9 is no return address, or what was called is not traced", () => {
  expect(entered({ x9: RETURN })).toBeUndefined();
  expect(entered({ x9: RETURN, x3: INNER_SP + 0x8n })).toBeUndefined();
  expect(entered({ x9: RETURN + 4n, x3: INNER_SP + 0x18n })).toBeUndefined();
  expect(entered({ x9: RETURN, x3: INNER_SP + 0x18n }, SP, "1f2003d5 nop\nc0035fd6 ret")).toBeUndefined();
});
