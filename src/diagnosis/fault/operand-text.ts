/** A memory operand in words: as binutils writes it, for each machine in its own notation. */
import type { MemoryOperand } from "../../arch/disassembler.ts";

/** The operand as binutils writes it. */
export function operandText(
  machine: string,
  { segment, base, index, scale, displacement, writeback, step, extend }: MemoryOperand,
): string {
  const hex = (value: bigint) => (value < 0n ? `-0x${(-value).toString(16)}` : `0x${value.toString(16)}`);
  if (machine === "aarch64") {
    const shift =
      extend !== undefined ? `, ${extend}${scale > 1 ? ` #${Math.log2(scale)}` : ""}` : scale > 1 ? `, lsl #${Math.log2(scale)}` : "";
    const inner = index !== undefined ? `, ${index}${shift}` : displacement === 0n ? "" : `, #${displacement}`;
    return `[${base ?? hex(displacement)}${base === undefined ? "" : inner}]${writeback === "pre" ? "!" : writeback === "post" ? `, #${step ?? 0n}` : ""}`;
  }
  const prefix = segment === undefined ? "" : `%${segment}:`;
  if (base === undefined && index === undefined) return `${prefix}${hex(BigInt.asUintN(64, displacement))}`;
  const offset = displacement === 0n ? "" : hex(displacement);
  return `${prefix}${offset}(${base === undefined ? "" : `%${base}`}${index === undefined ? "" : `,%${index},${scale}`})`;
}
