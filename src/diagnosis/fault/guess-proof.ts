/**
 * When registers that the unwind only guessed its way to may be believed, and the way outwards from them.
 *
 *   raw memory ─► a stack, by a guess ─► pt_regs ─► the same registers as the log's?
 *                                               └─► a handler that gave up, and where the CPU puts pt_regs?
 */
import type { VirtualAddress } from "../../bytes/address.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { UnwoundStack } from "../../stack/frame.ts";
import { startOfRegisters } from "../../stack/start.ts";
import { unwindFrom } from "../../stack/unwind.ts";
import type { StateCheck } from "./cpu-state.ts";
import { type Candidate, DYING } from "./stack-registers.ts";

/**
 * Raw memory has no registers of the CPUs: the way to the stack of a task that was running is a guess. What it led to is proved by the log,
 * which names the same place and the same registers, or, with the log gone, by a handler on that way that gave up, and by pt_regs that lie
 * where the CPU put them: right below where their own stack pointer was (x86-64 aligns it to 16 first; arm64's entry code makes room there).
 */
export function proofOfGuess({ handler, at, registers }: Pick<Candidate, "handler" | "at" | "registers">, witnesses: number): StateCheck {
  if (witnesses >= MANY_REGISTERS) return { what: "the unwind guessed the way to them, and the log proves them", agrees: true };
  const gaveUp = handler.find(({ function: name }) => DYING.test(name ?? ""))?.function;
  const above = at === undefined || registers.sp === undefined ? undefined : (registers.sp & ~15n) - at;
  if (gaveUp !== undefined && above !== undefined && above >= MIN_PT_REGS && above <= MAX_PT_REGS)
    return {
      what: `the unwind guessed the way to them; it leads through ${gaveUp}, and they lie right below their stack pointer`,
      agrees: true,
    };
  return { what: "the way to the registers is a guess of the unwind", agrees: false };
}

/** Registers that the log must have in common with those of a guess. */
const MANY_REGISTERS = 8;
/** sizeof(struct pt_regs): 168 on x86-64; 288 to 336 on arm64, which 5.10 to 6.x have, in steps of 16. */
const MIN_PT_REGS = 168n;
const MAX_PT_REGS = 352n;

/** The same stack; outwards of registers that are proved nothing is a guess any more. */
export function goneOn(
  kernel: Kernel,
  stack: UnwoundStack,
  { frame, registers }: Candidate,
  task: VirtualAddress | undefined,
): UnwoundStack {
  const way = unwindFrom(kernel, startOfRegisters(registers), task);
  const inner = stack.frames.slice(0, frame);
  return { ...way, frames: [...inner, ...way.frames.map((each, i) => ({ ...each, level: frame + i }))] };
}
