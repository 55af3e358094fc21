/**
 * Is a word a return address? It must lie in code, right behind a call instruction. Code that cannot be read is given the benefit of
 * the doubt.
 */
import { arm64CallAt } from "../arch/arm64-frames.ts";
import { X86_LONGEST_CALL, x86CallBefore } from "../arch/x86-64-frames.ts";
import { virtual } from "../bytes/address.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { CodeRanges } from "./code-ranges.ts";

const MEMO_LIMIT = 1 << 16;

/** The test for one kernel, with a memo: the same few thousand addresses turn up on every stack. */
export function returnAddressTest(kernel: Kernel, code: CodeRanges): (address: bigint) => boolean {
  const known = new Map<bigint, boolean>();
  const calls = kernel.arch.name === "x86_64" ? x86Call : arm64Call;
  return (address) => {
    if (address === 0n || !code.isCode(address - 1n)) return false;
    let answer = known.get(address);
    if (answer === undefined) {
      if (known.size > MEMO_LIMIT) known.clear();
      answer = calls(kernel, address);
      known.set(address, answer);
    }
    return answer;
  };
}

function x86Call(kernel: Kernel, address: bigint): boolean {
  const before = kernel.memory.tryBytes(virtual(address - BigInt(X86_LONGEST_CALL)), X86_LONGEST_CALL);
  return before === undefined || x86CallBefore(before) !== undefined;
}

function arm64Call(kernel: Kernel, address: bigint): boolean {
  if ((address & 3n) !== 0n) return false;
  const word = kernel.memory.tryU32(virtual(address - 4n));
  return word === undefined || arm64CallAt(word, address - 4n) !== undefined;
}
