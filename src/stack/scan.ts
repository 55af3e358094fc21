/**
 * Words of a stack that may be return addresses: in code, right behind a call. Most are stale; only a guess may rest on them.
 *
 *   x86-64: any aligned word           arm64: the second word of a pair whose first leads further out or is 0
 */
import { ARM64_REGISTERS, FP, PC, SP } from "../arch/arm64-registers.ts";
import { RegisterSet } from "../arch/registers.ts";
import { RBP, RIP, RSP, X86_64_REGISTERS } from "../arch/x86-64-registers.ts";
import { add, distance, type VirtualAddress, virtual } from "../bytes/address.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { StackArea } from "./frame.ts";
import type { FrameState } from "./unwinder.ts";

export interface ScanCandidate {
  readonly state: FrameState;
  /** Address of the word (arm64: of the record). */
  readonly slot: VirtualAddress;
}

/** Larger than any kernel stack (1 MiB). */
const MAX_BYTES = 1 << 20;

/** Aligned words of a stretch, low to high, as far as they can be read. */
export function* stackWords(kernel: Kernel, from: VirtualAddress, end: VirtualAddress): Iterable<readonly [VirtualAddress, bigint]> {
  const start = virtual((from + 7n) & ~7n);
  const length = Math.min(distance(end, start), MAX_BYTES);
  for (let offset = 0; offset + 8 <= length; offset += 8) {
    const at = add(start, offset);
    const word = kernel.memory.tryU64(at);
    if (word !== undefined) yield [at, word];
  }
}

/** Candidates from an address to the end of its stack. */
export function* scanCandidates(
  kernel: Kernel,
  isReturnAddress: (address: bigint) => boolean,
  area: StackArea,
  from: VirtualAddress,
): Iterable<ScanCandidate> {
  if (kernel.arch.name === "x86_64") {
    for (const [slot, word] of stackWords(kernel, from, area.end)) {
      if (!isReturnAddress(word)) continue;
      const registers = new RegisterSet(X86_64_REGISTERS);
      registers.set(RIP, word);
      registers.set(RSP, add(slot, 8));
      // The caller's frame pointer, if it has one, is what its callee pushed first.
      const below = kernel.memory.tryU64(add(slot, -8));
      if (below !== undefined && below > slot && below < area.end) registers.set(RBP, below);
      yield { state: { registers, pc: virtual(word), interrupted: false }, slot };
    }
    return;
  }
  let previous: readonly [VirtualAddress, bigint] | undefined;
  for (const entry of stackWords(kernel, from, area.end)) {
    const [at, word] = entry;
    const pc = kernel.arch.stripPointer(word);
    if (
      previous !== undefined &&
      previous[0] + 8n === at &&
      (previous[1] === 0n || (previous[1] > at && previous[1] < area.end)) &&
      isReturnAddress(pc)
    ) {
      const registers = new RegisterSet(ARM64_REGISTERS);
      registers.set(PC, pc);
      registers.set(FP, previous[1]);
      registers.set(SP, add(at, 8));
      yield { state: { registers, pc, interrupted: false }, slot: previous[0] };
    }
    previous = entry;
  }
}
