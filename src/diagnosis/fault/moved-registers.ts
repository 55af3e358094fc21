/** Registers that a repeated string instruction has moved on by the time it faults (Intel SDM volume 2, REP): they hold no definition any more. */
import type { DecodedInstruction } from "../../arch/disassembler.ts";

const STRING = /^(?:rep\w* )?(?:movs|stos|cmps|scas|lods|ins|outs)[bwlq]?$/;
const MOVED = ["rcx", "rsi", "rdi"] as const;

export function isRepeated({ mnemonic, reads }: DecodedInstruction): boolean {
  return STRING.test(mnemonic) && reads.includes("rcx");
}

/** None for all other instructions. */
export function movedRegisters(instruction: DecodedInstruction | undefined): ReadonlySet<string> {
  if (instruction === undefined || !isRepeated(instruction)) return NONE;
  return new Set(MOVED.filter((name) => instruction.reads.includes(name)));
}

const NONE: ReadonlySet<string> = new Set();
