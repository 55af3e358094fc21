/**
 * A sum of two registers taken apart: the one that is an address is the base, the other the index.
 *
 *   add %rax,%rsi      rsi = table, which can be read        ◄ the base
 *                      rax = 0x80000000                      ◄ the index, by what came out
 *
 *   add x2, x4, x2, lsl #3     arm64: what is shifted is the index
 *
 * Where both can be read, or none, nothing is told.
 */
import type { DecodedInstruction } from "../../arch/disassembler.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { Expression } from "../../type-flow/operation.ts";
import type { Activation } from "./activation.ts";
import type { FaultCase } from "./fault-case.ts";
import type { KnownValues } from "./known-values.ts";
import type { CountedStep } from "./origin-step.ts";

/** What a slice stands on. */
export type Ground = Pick<FaultCase, "kernel" | "activations" | "values">;

/** Of the two registers of a sum the one that is an address: the other is the index, by what came out. */
export function countedStep(
  { kernel, activations, values }: Ground,
  level: number,
  { flow }: Activation,
  pc: bigint,
  value: bigint,
): CountedStep | undefined {
  const facts = flow?.at(pc);
  if (facts === undefined || flow === undefined) return undefined;
  const { machine } = activations;
  for (const effect of machine.operation(facts.instruction).effects) {
    if (effect.kind !== "register" || effect.width !== 8) continue;
    const shifted = shiftedPart(effect.value, facts.instruction);
    const names = shifted === undefined ? partsOf(effect.value) : [shifted.base];
    const parts = names.map((name) => ({ name, known: values.register(level, name, pc)?.value }));
    const [one] = parts;
    const other = shifted === undefined ? parts[1] : { name: shifted.index };
    if (one === undefined || other === undefined || (shifted === undefined && one.name === other.name)) continue;
    const bases = parts.filter(({ known }) => known !== undefined && isPlace(kernel, values, known));
    const [base] = bases;
    if (base?.known === undefined || bases.length > 1) continue;
    const { type, offset: into } = facts.registers.get(base.name) ?? {};
    const index = BigInt.asIntN(64, value - base.known);
    const scale = shifted === undefined ? {} : { scale: shifted.scale };
    return {
      base: base.known,
      index,
      ...scale,
      register: base === one ? other.name : one.name,
      ...(type === undefined ? {} : { type }),
      ...(into === undefined ? {} : { into }),
    };
  }
  return undefined;
}

function isPlace(kernel: Kernel, values: KnownValues, value: bigint): boolean {
  return kernel.arch.isKernelAddress(value) && values.read(value, 1) !== undefined;
}

/** The registers of a sum of two. */
function partsOf(value: Expression): readonly string[] {
  if (value.kind === "address") return [value.memory.base, value.memory.index].flatMap((name) => name ?? []);
  if (value.kind !== "sum") return [];
  return [value.left, value.right].flatMap((each) => (each.kind === "register" ? each.name : []));
}

/** arm64: a register, and another that is shifted before it is added. A pointer never is. */
function shiftedPart(
  value: Expression,
  { mnemonic, operands }: DecodedInstruction,
): { readonly base: string; readonly index: string; readonly scale: number } | undefined {
  const [, base, index] = operands;
  if (mnemonic !== "add" || value.kind !== "sum" || base?.kind !== "register" || index?.kind !== "register") return undefined;
  const shift = /^(?:lsl|[us]xt[wx]) #(\d+)$/.exec(index.modifier ?? "")?.[1];
  return shift === undefined ? undefined : { base: base.full, index: index.full, scale: 2 ** Number(shift) };
}
