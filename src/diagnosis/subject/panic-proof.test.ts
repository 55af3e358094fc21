import { expect, it } from "vitest";
import { virtual } from "../../bytes/address.ts";
import { SparseMemory, smallKernel } from "../../kernel/testing/small-kernel.ts";
import type { StackFrame, UnwoundStack } from "../../stack/frame.ts";
import { callsPanic, provedByPanic } from "./panic-proof.ts";

const PANIC = 0xffff_ffff_8100_0000n;
const CALLER = 0xffff_ffff_8100_1000n;

function kernelOf() {
  // call rel32, from CALLER to PANIC
  const memory = new SparseMemory().write(CALLER - 16n, new Uint8Array(32));
  memory.write(CALLER, Uint8Array.of(0xe8)).put(CALLER + 1n, PANIC - (CALLER + 5n), 4);
  return smallKernel({ memory, symbols: { panic: [PANIC, "T"], probe: [CALLER, "T"], end: [CALLER + 0x100n, "T"] } });
}

function stackOf(...frames: readonly (readonly [name: string, pc: bigint, foundBy?: string])[]): UnwoundStack {
  const all = frames.map(([name, pc, foundBy = "ORC"], level) => ({
    level,
    function: name,
    pc,
    kind: "call",
    certainty: "guessed",
    foundBy,
  }));
  return { frames: all as unknown as readonly StackFrame[], stop: { complete: true, text: "" }, user: undefined };
}

const certainties = (stack: UnwoundStack) => stack.frames.map(({ certainty }) => certainty);

it("panic() proves what called it, not what lies below", () => {
  const stack = stackOf(["delay", CALLER + 0x50n, "scan"], ["panic", PANIC + 0x10n], ["probe", CALLER + 5n]);
  expect(certainties(provedByPanic(kernelOf(), stack))).toEqual(["guessed", "exact", "exact"]);
});

it("so does a call of it, where its own frame was not found", () => {
  const kernel = kernelOf();
  expect(callsPanic(kernel, { pc: virtual(CALLER + 5n), kind: "call" })).toBe(true);
  expect(callsPanic(kernel, { pc: virtual(CALLER + 6n), kind: "call" })).toBe(false);
  const stack = stackOf(["probe", CALLER + 5n, "scan"], ["worker", CALLER + 0x60n]);
  expect(certainties(provedByPanic(kernel, stack))).toEqual(["exact", "exact"]);
});

it("nothing is proved without it, nor of words that no rule connects", () => {
  const kernel = kernelOf();
  expect(certainties(provedByPanic(kernel, stackOf(["delay", CALLER + 0x50n, "scan"], ["worker", CALLER + 0x60n])))).toEqual([
    "guessed",
    "guessed",
  ]);
  const words = stackOf(["panic", PANIC + 0x10n, "scan"], ["worker", CALLER + 0x60n, "scan"]);
  expect(certainties(provedByPanic(kernel, words))).toEqual(["guessed", "guessed"]);
});
