/**
 * Copies and fills that stand in the code itself (`rep movs`, `rep stos`: memcpy() and memset() of a size that the compiler knows, and the
 * heart of those functions). The instruction moves its registers on as it goes, so at the fault they tell how far it came, not where it began:
 *
 *   mov $0x20,%ecx; mov %rbp,%rsi; rep movsq      rcx = 0x1a, rsi = …4030      6 of 32 words were copied, the source began at …4000
 *
 * Where it began is known when one of the three is known from before: the count of a constant, a pointer that another register still holds.
 */
import type { DecodedInstruction } from "../../arch/disassembler.ts";
import type { Activations } from "./activation.ts";
import type { KnownValues } from "./known-values.ts";
import { isRepeated, movedRegisters } from "./moved-registers.ts";

export interface StringMove {
  readonly kind: "copy" | "fill";
  /** Bytes that were done before the fault. */
  readonly done: bigint;
  /** Bytes in all, where the count is known. */
  readonly total?: bigint;
}

/** Bytes that one such instruction goes through at most. */
const MAX_MOVED = 1n << 24n;

/** How far the instruction at the fault came; undefined when it is no such, or nothing tells where it began. */
export function stringMove(
  activations: Activations,
  values: KnownValues,
  instruction: DecodedInstruction,
  size: number,
): StringMove | undefined {
  const fault = activations.at(0);
  if (fault?.flow === undefined || size < 1 || !isRepeated(instruction)) return undefined;
  const unit = BigInt(size);
  const left = fault.registers.get("rcx");
  const counts = [...movedRegisters(instruction)].flatMap((name) => {
    const now = fault.registers.get(name);
    const before = values.register(0, name, fault.pc)?.value;
    if (now === undefined || before === undefined) return [];
    const bytes = name === "rcx" ? BigInt.asUintN(64, before - now) * unit : BigInt.asUintN(64, now - before);
    return bytes <= MAX_MOVED && bytes % unit === 0n ? [bytes] : [];
  });
  const [done] = counts;
  // What was read from memory again may be another one: all that is known must say the same.
  if (done === undefined || counts.some((each) => each !== done)) return undefined;
  return {
    kind: /stos/.test(instruction.mnemonic) ? "fill" : "copy",
    done,
    ...(left === undefined ? {} : { total: done + left * unit }),
  };
}
