/**
 * What WARN() or panic() was about to print, from the code before it: the format is the first argument of the call that prints it, a
 * constant. It tells which of several checks of one function failed, also where the log is gone.
 *
 *   mov $0xffffffff9f3c9e50,%rdi        "refcount_t: underflow; use-after-free.\n"
 *   call __warn_printk
 *   ud2                                 ◄ the trap
 */
import { virtual } from "../../bytes/address.ts";
import { InquestError } from "../../bytes/errors.ts";
import type { Activation } from "../fault/activation.ts";
import type { FaultCase } from "../fault/fault-case.ts";

/** Instructions before the trap that are looked at. */
const BEFORE = 10;
const MAX_TEXT = 200;

/** undefined where no such constant stands before the instruction. */
export function formatBefore({ kernel }: Pick<FaultCase, "kernel">, { flow, pc }: Activation): string | undefined {
  if (flow === undefined) return undefined;
  const { addresses } = flow;
  const at = addresses.indexOf(pc);
  for (let index = at - 1; index >= Math.max(0, at - BEFORE); index--) {
    const facts = flow.at(addresses[index] as bigint);
    if (facts === undefined || facts.instruction.flow === "trap" || facts.instruction.flow === "return") return undefined;
    for (const constant of facts.constants) {
      const text = textAt(kernel, constant);
      if (text !== undefined) return text;
    }
  }
  return undefined;
}

/** A string of at least so many printable characters; KERN_SOH and a level may stand before. */
export function textAt(kernel: FaultCase["kernel"], address: bigint, least = 8): string | undefined {
  if (!kernel.arch.isKernelAddress(address)) return undefined;
  try {
    const text = kernel.memory
      .cString(virtual(address), MAX_TEXT)
      .replace(/^\x01./, "")
      .trimEnd();
    return text.length >= least && /^[\x20-\x7e\n\t]+$/.test(text) ? text : undefined;
  } catch (error) {
    if (error instanceof InquestError) return undefined;
    throw error;
  }
}
