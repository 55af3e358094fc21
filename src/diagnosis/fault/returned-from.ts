/**
 * The function that returned to nowhere. Its frame is gone, but what it called last left a return address below the stack pointer, and the
 * distance from there says whose frame it was:
 *
 *   x86-64    S: return address into f, behind a call at which rsp is so far below f's frame      S + 8 + that distance = sp now
 *   arm64     {x29, x30} of a function that f called: x30 leads into f, x29 is f's frame          x29 + that distance = sp now
 */
import { type VirtualAddress, virtual } from "../../bytes/address.ts";
import { InquestError } from "../../bytes/errors.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { callBefore as bytesOfCall } from "../../stack/return-address.ts";
import { flowOf } from "../../type-flow/function-flow.ts";
import { instructionBefore } from "./instruction-at.ts";

export interface ReturnedFrom {
  readonly function: string;
  readonly module: string | undefined;
  /** The call in it that left the return address. */
  readonly call: VirtualAddress;
  /** Where that return address lies. */
  readonly at: VirtualAddress;
  /** Bytes of its frame. */
  readonly frame: number;
}

/** Bytes below the stack pointer that are searched. */
const REACH = 8192;

/** @param sp behind the return */
export function returnedFrom(kernel: Kernel, sp: bigint): ReturnedFrom | undefined {
  const isArm = kernel.arch.name === "aarch64";
  for (let below = 16; below <= REACH; below += 8) {
    const at = virtual(BigInt.asUintN(64, sp - BigInt(below)));
    const word = kernel.memory.tryU64(at);
    if (word === undefined) return undefined;
    const start = isArm ? kernel.memory.tryU64(virtual(BigInt.asUintN(64, at - 8n))) : BigInt.asUintN(64, at + 8n);
    // Before its code is looked at: the frame must lie near.
    if (start === undefined || start >= sp || sp - start > BigInt(REACH)) continue;
    const back = isArm ? kernel.arch.stripPointer(word) : word;
    const symbol = kernel.arch.isKernelAddress(back) ? kernel.symbols.byAddress(virtual(back)) : undefined;
    if (symbol === undefined || !"tTwW".includes(symbol.symbol.type)) continue;
    if (isOtherFrame(kernel, virtual(back), sp - start)) continue;
    const call = callBefore(kernel, virtual(back));
    if (call === undefined) continue;
    const depth = stackAt(kernel, call);
    if (depth === undefined) continue;
    // Without a frame of its own the function holds nothing that could be written over.
    const own = BigInt(-depth);
    if (own < 16n) continue;
    if (BigInt.asUintN(64, start + own) !== sp) continue;
    return { function: symbol.symbol.name, module: symbol.symbol.module, call, at, frame: -depth };
  }
  return undefined;
}

/** The unwind table knows another size of the frame: cheaper than the function's code. */
function isOtherFrame(kernel: Kernel, back: VirtualAddress, size: bigint): boolean {
  const entry = kernel.orc.find(virtual(back - 1n));
  if (entry === undefined) return false;
  return entry.type !== "call" || (entry.spReg === "sp" && BigInt(entry.spOffset) !== size);
}

function callBefore(kernel: Kernel, back: VirtualAddress): VirtualAddress | undefined {
  // By its bytes first: what the stack holds is mostly no return address, and following a function's code takes time.
  if (bytesOfCall(kernel, back) === undefined) return undefined;
  const found = instructionBefore(kernel, back);
  return found?.flow === "call" ? found.address : undefined;
}

function stackAt(kernel: Kernel, pc: VirtualAddress): number | undefined {
  try {
    return flowOf(kernel, pc).stackAt(pc);
  } catch (error) {
    if (error instanceof InquestError) return undefined;
    throw error;
  }
}
