/**
 * Is a word a return address? It must lie in code, right behind a call instruction. Code that cannot be read is given the benefit of
 * the doubt, and so is the kernel's init text, whose memory has been given back: idle tasks return into it (start_kernel and its callers).
 */
import { arm64CallAt } from "../arch/arm64-frames.ts";
import { X86_LONGEST_CALL, x86CallBefore } from "../arch/x86-64-frames.ts";
import { virtual } from "../bytes/address.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { CodeRanges } from "./code-ranges.ts";

const MEMO_LIMIT = 1 << 16;

/** What the instruction before an address calls: a function's address, "indirect", "unreadable", or undefined when it is no call. */
export type CallTarget = bigint | "indirect" | "unreadable" | undefined;

/** The call before an address, whether or not the address is code. */
export function callBefore(kernel: Kernel, address: bigint): CallTarget {
  if (kernel.arch.name === "x86_64") {
    const before = kernel.memory.tryBytes(virtual(address - BigInt(X86_LONGEST_CALL)), X86_LONGEST_CALL);
    if (before === undefined) return "unreadable";
    const call = x86CallBefore(before);
    const target = call?.kind === "direct" ? virtual(address + BigInt(call.displacement)) : call?.kind;
    return target ?? (isInitText(kernel, address) ? "unreadable" : undefined);
  }
  if ((address & 3n) !== 0n) return undefined;
  const word = kernel.memory.tryU32(virtual(address - 4n));
  if (word === undefined) return "unreadable";
  return arm64CallAt(word, address - 4n) ?? (isInitText(kernel, address) ? "unreadable" : undefined);
}

function isInitText(kernel: Kernel, address: bigint): boolean {
  const { start, end } = kernel.memo(isInitText, () => ({
    start: kernel.tryAddress("_sinittext") ?? 0n,
    end: kernel.tryAddress("_einittext") ?? 0n,
  }));
  return address > start && address <= end;
}

/** Calls may enter a function a little before or behind its symbol: past endbr64 and its check (FineIBT), at a counting thunk (call depth tracking). */
const ENTRY_SLACK = 16n;

/** Does the call lead to the function that starts there? */
export function callsInto(call: CallTarget, start: bigint): boolean {
  return typeof call === "bigint" && call > start - ENTRY_SLACK && call < start + ENTRY_SLACK;
}

/** The test for one kernel, with a memo: the same few thousand addresses turn up on every stack. */
export function returnAddressTest(kernel: Kernel, code: CodeRanges): (address: bigint) => boolean {
  const known = new Map<bigint, boolean>();
  return (address) => {
    if (address === 0n || !code.isCode(address - 1n)) return false;
    let answer = known.get(address);
    if (answer === undefined) {
      if (known.size > MEMO_LIMIT) known.clear();
      answer = callBefore(kernel, address) !== undefined;
      known.set(address, answer);
    }
    return answer;
  };
}
