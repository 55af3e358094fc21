/**
 * The condition that led to a trap, with the values of what it compared: from the trap back to the conditional branch that leads there, and
 * to the comparison before that.
 *
 *   mov 0x8(%rbx),%eax
 *   cmp %eax,0xc(%rbx)        ring->tail != ring->head
 *   jne ─────────┐            taken
 *   …            │
 *   ud2  ◄───────┘            "ring->tail (3) != ring->head (7)"
 *
 * WARN_ONCE() asks first whether it was reported before (a byte in .data.once): the condition is the branch before that. Where several
 * branches lead to one trap, the one is told whose condition holds with the values that are known.
 */
import type { DecodedInstruction } from "../../arch/disassembler.ts";
import type { VirtualAddress } from "../../bytes/address.ts";
import { InquestError } from "../../bytes/errors.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { type ControlFlow, controlFlowOf } from "../../type-flow/control-flow.ts";
import type { FaultCase } from "../fault/fault-case.ts";
import { type Compared, comparedOperand } from "./compared.ts";
import { type Comparison, comparisonOf, evaluate, type Relation } from "./relation.ts";
import { constantText } from "./value-text.ts";

export interface Condition {
  /** "ring->head (7) != ring->tail (3)". */
  readonly text: string;
  /** The values alone: "7 != 3"; undefined when one is not known. */
  readonly values: string | undefined;
  readonly relation: Relation;
  readonly left: Compared;
  /** Absent for a comparison with a constant. */
  readonly right?: Compared;
  /** The comparison. */
  readonly pc: VirtualAddress;
  /** Whether it holds with the values that are known; undefined when one is not. */
  readonly holds: boolean | undefined;
  /** Other branches lead to the same trap. */
  readonly others: number;
}

type Case = Pick<FaultCase, "kernel" | "activations" | "values">;

/** Blocks on the way from the trap to a branch. */
const MAX_BLOCKS = 8;
/** Branches that may lead to one trap. */
const MAX_BRANCHES = 6;

/** undefined when no branch that can be read leads to the trap. Never throws for damaged memory. @param level of the activation at the trap */
export function conditionOf(found: Case, level: number): Condition | undefined {
  const activation = found.activations.at(level);
  if (activation?.flow === undefined) return undefined;
  try {
    const flow = controlFlowOf(found.kernel, activation.pc);
    const branches = branchesTo(found.kernel, flow, activation.pc);
    const all = branches.flatMap((branch) => conditionAt(found, level, flow, branch) ?? []);
    const best = all.find(({ holds }) => holds === true) ?? (all.length === 1 ? all[0] : all.find(({ holds }) => holds === undefined));
    return best === undefined ? undefined : { ...best, others: branches.length - 1 };
  } catch (error) {
    if (error instanceof InquestError) return undefined;
    throw error;
  }
}

interface Branch {
  /** Place of the conditional instruction. */
  readonly at: number;
  readonly taken: boolean;
}

/** The conditional branches whose one way leads to the trap and nowhere else before it. */
function branchesTo(kernel: Kernel, flow: ControlFlow, trap: bigint): readonly Branch[] {
  const place = flow.places.get(trap);
  if (place === undefined) return [];
  const found: Branch[] = [];
  const open: { readonly block: number; readonly depth: number }[] = [{ block: flow.blockOf[place] as number, depth: 0 }];
  const seen = new Set<number>();
  while (open.length > 0 && found.length < MAX_BRANCHES) {
    const { block, depth } = open.shift() as { block: number; depth: number };
    if (seen.has(block) || depth > MAX_BLOCKS) continue;
    seen.add(block);
    const here = flow.blocks[block];
    for (const before of here?.from ?? []) {
      const from = before < 0 ? undefined : flow.blocks[before];
      if (from === undefined) continue;
      const last = flow.instructions[from.end - 1] as DecodedInstruction;
      if (last.flow !== "conditional" || isOnce(kernel, flow, from.end - 1)) {
        open.push({ block: before, depth: depth + 1 });
        continue;
      }
      const target = last.operands.find((operand) => operand.kind === "target");
      const into = target?.kind === "target" ? flow.places.get(target.address) : undefined;
      const taken = into !== undefined && flow.blockOf[into] === block;
      found.push({ at: from.end - 1, taken });
    }
  }
  return found;
}

/**
 * The byte of a WARN_ONCE(): `__already_done.12` (5.16+), `__warned.12` before, in .data.once (include/linux/once_lite.h). Where only
 * functions have symbols the byte is set to 1 right behind the branch, at the same address.
 */
function isOnce(kernel: Kernel, flow: ControlFlow, branch: number): boolean {
  const setter = setterBefore(flow, branch);
  if (setter === undefined) return false;
  const instructions = flow.instructions;
  for (let at = setter; at >= Math.max(0, setter - 3); at--) {
    const instruction = instructions[at] as DecodedInstruction;
    const memory = instruction.operands.find((operand) => operand.kind === "memory");
    if (memory?.kind !== "memory" || memory.size !== 1) continue;
    if (memory.base === undefined && memory.index === undefined) {
      const name = kernel.symbols.byAddress(BigInt.asUintN(64, memory.displacement) as VirtualAddress)?.symbol.name ?? "";
      return /^__(?:already_done|warned|done|print_once)(?:\.|$)/.test(name) || writtenBehind(instructions, branch, instruction);
    }
    return memory.access === "read" && writtenBehind(instructions, branch, instruction);
  }
  return false;
}

/** The constant 1 is stored where the comparison read, within a few instructions. */
function writtenBehind(instructions: readonly DecodedInstruction[], branch: number, read: DecodedInstruction): boolean {
  const memory = read.operands.find((operand) => operand.kind === "memory");
  if (memory?.kind !== "memory") return false;
  const target = (instructions[branch] as DecodedInstruction).operands.find((operand) => operand.kind === "target");
  const targetAt = target?.kind === "target" ? instructions.findIndex(({ address }) => address === target.address) : -1;
  for (const start of [branch + 1, targetAt]) {
    if (start < 0) continue;
    for (let at = start; at < Math.min(instructions.length, start + 8); at++) {
      const each = instructions[at] as DecodedInstruction;
      const into = each.operands.find((operand) => operand.kind === "memory");
      if (
        into?.kind === "memory" &&
        into.access === "write" &&
        into.size === 1 &&
        into.displacement === memory.displacement &&
        into.base === memory.base
      )
        return true;
      if (each.flow === "trap" || each.flow === "return") break;
    }
  }
  return false;
}

/** Place of the instruction whose outcome a conditional branch asks for; the branch itself where it compares (cbz). */
function setterBefore(flow: ControlFlow, branch: number): number | undefined {
  const own = flow.instructions[branch] as DecodedInstruction;
  if (/^[ct]bn?z$/.test(own.mnemonic)) return branch;
  const first = flow.blocks[flow.blockOf[branch] as number]?.first ?? branch;
  let at = branch;
  for (let step = 0; step < 24; step++) {
    at--;
    if (at < first) {
      // Through the one block that leads here.
      const block = flow.blocks[flow.blockOf[at + 1] as number];
      const [before] = block?.from ?? [];
      if (block?.from.length !== 1 || before === undefined || before < 0) return undefined;
      at = (flow.blocks[before]?.end ?? 0) - 1;
    }
    const each = flow.instructions[at];
    if (each === undefined || each.flow === "call" || each.flow === "return") return undefined;
    if (setsFlags(each)) return at;
  }
  return undefined;
}

const X86_SETTERS =
  /^(?:lock )?(?:cmp|test|sub|add|and|or|xor|dec|inc|neg|sh[rl]|sar|sal|bt[src]?|xadd|cmpxchg(?:8b|16b)?|adc|sbb|imul|mul|popcnt|[lt]zcnt|bs[fr]|rol|ror)[bwlq]?$/;
const ARM_SETTERS = /^(?:cmp|cmn|tst|subs|adds|ands|bics|negs|ccmp|ccmn|fcmp|sbcs|adcs)$/;

function setsFlags({ mnemonic }: DecodedInstruction): boolean {
  return X86_SETTERS.test(mnemonic) || ARM_SETTERS.test(mnemonic);
}

function conditionAt(found: Case, level: number, flow: ControlFlow, { at, taken }: Branch): Omit<Condition, "others"> | undefined {
  const branch = flow.instructions[at] as DecodedInstruction;
  const place = setterBefore(flow, at);
  const setter = place === undefined ? undefined : flow.instructions[place];
  const comparison: Comparison | undefined = setter === undefined ? undefined : comparisonOf(setter, branch, taken);
  if (setter === undefined || comparison === undefined) return undefined;
  const left = comparedOperand(found, level, setter, comparison.left, comparison);
  if (left === undefined) return undefined;
  const right = typeof comparison.right === "bigint" ? undefined : comparedOperand(found, level, setter, comparison.right, comparison);
  if (right === undefined && typeof comparison.right !== "bigint") return undefined;
  const constant = typeof comparison.right === "bigint" ? comparison.right : undefined;
  const other = constant ?? right?.value;
  const holds = left.value === undefined || other === undefined ? undefined : evaluate(comparison, left.value, other);
  return {
    text: textOf(comparison, left, right, constant),
    values: valuesOf(comparison, left, right, constant),
    relation: comparison.relation,
    left,
    ...(right === undefined ? {} : { right }),
    pc: setter.address,
    holds,
  };
}

function textOf({ relation, mask }: Comparison, left: Compared, right: Compared | undefined, constant: bigint | undefined): string {
  const word = relation.replace("u", "");
  if (mask !== undefined) {
    const masked = `${left.text} & 0x${mask.toString(16)}`;
    const shown = left.shown === undefined ? "" : ` (${left.shown})`;
    return relation === "!=" ? `${masked}${shown}` : `!(${masked})${shown}`;
  }
  if (relation === ">u" && constant !== undefined && constant >= 0xffff_ffff_ffff_f000n)
    return `IS_ERR(${left.text})${left.shown === undefined ? "" : ` (${left.shown})`}`;
  if (constant === 0n && left.isPointer && relation === "==") return `${left.text} == NULL`;
  const other = constant === undefined ? (right === undefined ? "?" : sideText(right)) : constantText(constant, left);
  return `${sideText(left)} ${word} ${other}`;
}

/** "ring->head (7)"; of a value without a name the value alone. */
function sideText({ text, named, shown }: Compared): string {
  if (shown === undefined) return text;
  if (!named) return shown;
  return / [-+&|*] /.test(text) ? `${text} = ${shown}` : `${text} (${shown})`;
}

function valuesOf(
  { relation, mask }: Comparison,
  left: Compared,
  right: Compared | undefined,
  constant: bigint | undefined,
): string | undefined {
  const other = constant === undefined ? right?.shown : constantText(constant, left);
  if (left.shown === undefined || other === undefined || mask !== undefined) return undefined;
  return `${left.shown} ${relation.replace("u", "")} ${other}`;
}
