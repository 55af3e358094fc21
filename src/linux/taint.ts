/**
 * Taint flags of the kernel and of modules (kernel/panic.c taint_flags[], Documentation/admin-guide/tainted-kernels.rst).
 */
import type { Kernel } from "../kernel/kernel.ts";

export interface TaintFlag {
  readonly bit: number;
  /** Letter in reports and in /proc/modules. */
  readonly letter: string;
  readonly meaning: string;
}

/** By bit number. Bit 18 came with 6.0 (N), bit 19 with 6.17 (J). */
export const TAINT_FLAGS: readonly TaintFlag[] = [
  { bit: 0, letter: "P", meaning: "a proprietary module was loaded" },
  { bit: 1, letter: "F", meaning: "a module was loaded by force" },
  { bit: 2, letter: "S", meaning: "the CPU or firmware is out of specification" },
  { bit: 3, letter: "R", meaning: "a module was unloaded by force" },
  { bit: 4, letter: "M", meaning: "a machine check exception happened" },
  { bit: 5, letter: "B", meaning: "a bad page was seen" },
  { bit: 6, letter: "U", meaning: "user space asked for the taint" },
  { bit: 7, letter: "D", meaning: "the kernel had an oops or BUG before" },
  { bit: 8, letter: "A", meaning: "an ACPI table was overridden" },
  { bit: 9, letter: "W", meaning: "the kernel gave a warning" },
  { bit: 10, letter: "C", meaning: "a staging driver was loaded" },
  { bit: 11, letter: "I", meaning: "a firmware bug was worked around" },
  { bit: 12, letter: "O", meaning: "an out-of-tree module was loaded" },
  { bit: 13, letter: "E", meaning: "an unsigned module was loaded" },
  { bit: 14, letter: "L", meaning: "a soft lockup happened" },
  { bit: 15, letter: "K", meaning: "the kernel was live-patched" },
  { bit: 16, letter: "X", meaning: "auxiliary taint, set by the distribution" },
  { bit: 17, letter: "T", meaning: "built with the structure randomisation plugin" },
  { bit: 18, letter: "N", meaning: "an in-kernel test was run" },
  { bit: 19, letter: "J", meaning: "user space used a mutating debug operation in fwctl" },
];

/** Flags of a mask; bits without a meaning are left out. */
export function taintFlags(mask: bigint): readonly TaintFlag[] {
  return TAINT_FLAGS.filter(({ bit }) => ((mask >> BigInt(bit)) & 1n) === 1n);
}

/** Letters of a mask, "" when nothing is set; unknown bits as [bit]. */
export function taintLetters(mask: bigint): string {
  let text = "";
  for (let bit = 0; bit < 64; bit++) {
    if (((mask >> BigInt(bit)) & 1n) === 1n) text += TAINT_FLAGS[bit]?.letter ?? `[${bit}]`;
  }
  return text;
}

/** tainted_mask of the kernel; undefined when the symbol is missing or cannot be read. */
export function taintMask(kernel: Kernel): bigint | undefined {
  const address = kernel.tryAddress("tainted_mask");
  return address === undefined ? undefined : kernel.memory.tryU64(address);
}
