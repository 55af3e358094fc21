/**
 * What the kernel's entry code, which is assembler without call sites, passes to the C functions it calls: the registers it has saved, and
 * on x86-64 the number of the system call.
 * Source: arch/x86/entry/entry_64.S (do_syscall_64: (regs, nr) since 5.12, (nr, regs) before: the parameters' names tell), idtentry macros;
 * arch/arm64/kernel/entry.S (entry_handler: mov x0, sp).
 */
import { strip } from "../debug-info/c-type.ts";
import { DW_AT_location } from "../debug-info/dwarf/constants.ts";
import { registerOf } from "../debug-info/dwarf/expression-register.ts";
import type { FrameEvaluation } from "./frame-evaluation.ts";

/** A register on entry to a function that entry code called; undefined for any other caller. */
export function assemblyPassed({ place, callerFrame, caller }: FrameEvaluation, register: number): bigint | undefined {
  const saved = caller === undefined ? callerFrame?.exception : undefined;
  const { function: fn } = place;
  if (saved === undefined || fn.entry === undefined) return undefined;
  for (const { kind, name, type, die } of fn.variables) {
    if (kind !== "parameter" || !die.has(DW_AT_location)) continue;
    const first = die.unit.locationAt(die, DW_AT_location, fn.entry);
    if (first === undefined || registerOf(first) !== register) continue;
    const plain = strip(type);
    const target = plain.kind === "pointer" ? strip(plain.target) : undefined;
    if (target?.kind === "struct" && target.name === "pt_regs") return saved.address;
    const number = saved.registers.file.names.indexOf("orig_rax");
    if (name === "nr" && fn.name === "do_syscall_64" && saved.user && number >= 0) return saved.registers.get(number);
  }
  return undefined;
}
