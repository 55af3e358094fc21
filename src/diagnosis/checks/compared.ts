/**
 * One operand of a comparison: what it is in C, and what it held. A register's value is known where the same definition still is (in a
 * register at the trap, a slot, the caller); what was loaded from memory is read again, and may have changed since.
 */
import type { DecodedInstruction, MemoryOperand, Operand } from "../../arch/disassembler.ts";
import { hex16, virtual } from "../../bytes/address.ts";
import { type CType, strip } from "../../debug-info/c-type.ts";
import type { OperandFact } from "../../type-flow/function-flow.ts";
import { type Origin, originText } from "../../type-flow/origin.ts";
import type { FaultCase } from "../fault/fault-case.ts";
import { type PointedMember, pointedMember } from "./pointed-object.ts";
import type { Comparison } from "./relation.ts";
import { valueText } from "./value-text.ts";

export interface Compared {
  /** In C: "ring->head", "sysfs_streq()"; the register where nothing better is known. */
  readonly text: string;
  /** Something more than a register's name is known. */
  readonly named: boolean;
  readonly value: bigint | undefined;
  /** The value for people. */
  readonly shown: string | undefined;
  readonly size: number;
  readonly isPointer: boolean;
  readonly isSigned: boolean;
  /** "struct lab_ring", and the member, where the value was loaded from one. */
  readonly container?: string;
  readonly member?: string;
  /** The structure's start. */
  readonly base?: bigint;
  /** Where it was loaded from, and how many bytes; what lies there now. */
  readonly address?: bigint;
  readonly read?: number;
  readonly now?: bigint;
}

type Case = Pick<FaultCase, "kernel" | "activations" | "values">;

/** Loads, sums and extensions between a comparison and the member. */
const MAX_STEPS = 6;

export function comparedOperand(
  found: Case,
  level: number,
  setter: DecodedInstruction,
  operand: Operand,
  { size, relation }: Pick<Comparison, "size" | "relation">,
): Compared | undefined {
  if (operand.kind === "register") return ofRegister(found, level, setter, operand, size, relation);
  if (operand.kind === "memory") return ofMemory(found, level, setter, operand, relation);
  return undefined;
}

/** Bits of a register that a comparison uses: `cmp w2, w1, uxth`. */
const EXTENDED: Readonly<Record<string, bigint>> = { uxtb: 0xffn, uxth: 0xffffn };

function ofRegister(
  found: Case,
  level: number,
  setter: DecodedInstruction,
  { full: register, modifier }: Extract<Operand, { readonly kind: "register" }>,
  size: number,
  relation: Comparison["relation"],
): Compared | undefined {
  const { activations, values } = found;
  const flow = activations.at(level)?.flow;
  if (flow === undefined) return undefined;
  const origin = flow.originOf(setter.address, register);
  const fact = flow.at(setter.address)?.registers.get(register);
  const known = values.of(level, origin)?.value ?? unchanged(found, level, register, origin);
  const whole = known === undefined ? undefined : BigInt.asUintN(size * 8, known);
  const made = origin.kind === "unknown" && origin.pc !== undefined ? computed(found, level, origin.pc) : undefined;
  if (made !== undefined) return { ...made, value: whole, ...described(undefined, whole, size, relation) };
  const value = whole === undefined ? undefined : whole & (EXTENDED[modifier ?? ""] ?? whole);
  const load = loadOf(origin);
  const place = load === undefined ? undefined : values.place(level, load);
  const now = place === undefined ? undefined : values.read(place.address, place.size);
  const text = originText(origin) ?? fact?.variable;
  const type = fact?.offset === undefined ? fact?.type : undefined;
  const named = load?.container !== undefined && load.member !== undefined && !load.member.includes("[]");
  const around = place === undefined || named ? undefined : pointedMember(found, level, setter.address, place.address, place.size);
  const typed = around ?? {
    ...(load?.container === undefined ? {} : { container: load.container }),
    ...(load?.member === undefined || load.container === undefined ? {} : { member: load.member }),
    ...(place?.base === undefined || load === undefined
      ? {}
      : { base: load.container === undefined ? place.base.value : BigInt.asUintN(64, place.address - load.offset) }),
  };
  const isLoad = origin.kind === "load";
  return {
    text: text ?? (around !== undefined && isLoad ? memberText(around) : register),
    named: text !== undefined || (around !== undefined && isLoad),
    value,
    ...described(type ?? load?.type, value, size, relation),
    ...typed,
    ...(place === undefined ? {} : { address: place.address, read: place.size }),
    ...(now === undefined ? {} : { now }),
  };
}

/** A value that is computed in a way that is not followed is still in its register when nothing has written that since. */
function unchanged({ activations }: Case, level: number, register: string, origin: Origin): bigint | undefined {
  const activation = activations.at(level);
  if (activation?.flow === undefined || origin.kind !== "unknown" || origin.pc === undefined) return undefined;
  const now = activation.flow.originOf(activation.pc, register);
  return now.kind === "unknown" && now.pc === origin.pc ? activation.registers.get(register) : undefined;
}

const OPERATIONS: readonly (readonly [RegExp, string])[] = [
  [/^subs?[bwlq]?$/, "-"],
  [/^adds?[bwlq]?$/, "+"],
  [/^ands?[bwlq]?$/, "&"],
  [/^(?:or|orr)[bwlq]?$/, "|"],
  [/^(?:imul|mul)[bwlq]?$/, "*"],
];

/** What an instruction computes of two values: "ring->produced (40) - ring->consumed (3)", with the member of the one that has one. */
function computed(
  found: Case,
  level: number,
  pc: bigint,
): Omit<Compared, "value" | "shown" | "size" | "isPointer" | "isSigned"> | undefined {
  const instruction = found.activations.at(level)?.flow?.at(pc)?.instruction;
  const operation = OPERATIONS.find(([pattern]) => pattern.test(instruction?.mnemonic ?? ""))?.[1];
  if (instruction === undefined || operation === undefined) return undefined;
  const { operands } = instruction;
  // x86-64: `sub source,destination`; arm64: `sub destination, left, right`.
  const [left, right] = operands.length === 3 ? [operands[1], operands[2]] : [operands[1], operands[0]];
  const side = (operand: Operand | undefined): Compared | undefined => {
    if (operand === undefined || operand.kind === "immediate" || operand.kind === "target" || operand.kind === "system") return undefined;
    return comparedOperand(found, level, instruction, operand, { size: Math.min(operand.size || 8, 8), relation: "==" });
  };
  const parts = [side(left), side(right)];
  const words = parts.map((part, index) => {
    const operand = index === 0 ? left : right;
    if (part === undefined) return operand?.kind === "immediate" ? operand.value.toString() : "?";
    return part.shown === undefined || !part.named ? (part.shown ?? part.text) : `${part.text} (${part.shown})`;
  });
  const best = parts.find((part) => part?.member !== undefined) ?? parts.find((part) => part?.base !== undefined);
  const { value: _, shown: __, size: ___, isPointer: ____, isSigned: _____, ...place } = best ?? ({} as Partial<Compared>);
  return { ...place, text: `${words[0]} ${operation} ${words[1]}`, named: parts.some((part) => part?.named === true) };
}

function memberText({ container, member }: PointedMember): string {
  return `(${container} *)->${member}`;
}

/** The load that a value is, through sums. */
function loadOf(origin: Origin): Extract<Origin, { readonly kind: "load" }> | undefined {
  let here: Origin | undefined = origin;
  for (let step = 0; step < MAX_STEPS && here !== undefined; step++) {
    if (here.kind === "load") return here;
    if (here.kind !== "sum") return undefined;
    here = here.from;
  }
  return undefined;
}

function ofMemory(
  found: Case,
  level: number,
  setter: DecodedInstruction,
  memory: MemoryOperand,
  relation: Comparison["relation"],
): Compared | undefined {
  const facts = found.activations.at(level)?.flow?.at(setter.address);
  const fact = facts?.operands.find((each) => each.memory === memory) ?? facts?.operands[0];
  const address = addressOf(found, level, setter, memory, fact);
  const value = address === undefined ? undefined : found.values.read(address, memory.size);
  const named = fact?.container !== undefined && fact.member !== undefined && !fact.member.includes("[]");
  const around = address === undefined || named ? undefined : pointedMember(found, level, setter.address, address, memory.size);
  const text = fact?.text ?? (around === undefined ? undefined : memberText(around));
  const typed = around ?? {
    ...(fact?.container === undefined || fact.member === undefined ? {} : { container: fact.container, member: fact.member }),
    ...(address === undefined || fact?.offset === undefined ? {} : { base: BigInt.asUintN(64, address - BigInt(fact.offset)) }),
  };
  return {
    text: text ?? (address === undefined ? "a value in memory" : `*(${hex16(address)})`),
    named: text !== undefined,
    value,
    ...described(fact?.type, value, memory.size, relation),
    ...typed,
    ...(address === undefined ? {} : { address, read: memory.size }),
    ...(value === undefined ? {} : { now: value }),
  };
}

function addressOf(
  { kernel, activations, values }: Case,
  level: number,
  setter: DecodedInstruction,
  memory: MemoryOperand,
  fact: OperandFact | undefined,
): bigint | undefined {
  if (fact?.perCpu === true || memory.segment !== undefined) return undefined;
  const flow = activations.at(level)?.flow;
  if (memory.base === undefined) return memory.index === undefined ? BigInt.asUintN(64, memory.displacement) : undefined;
  const part = (register: string): bigint | undefined =>
    flow === undefined ? undefined : values.of(level, flow.originOf(setter.address, register))?.value;
  const base = part(memory.base);
  const index = memory.index === undefined ? 0n : memory.extend === undefined ? part(memory.index) : undefined;
  if (base === undefined || index === undefined) return undefined;
  const address = virtual(BigInt.asUintN(64, base + index * BigInt(memory.scale) + memory.displacement));
  return kernel.arch.isKernelAddress(address) ? address : undefined;
}

function described(type: CType | undefined, value: bigint | undefined, size: number, relation: Comparison["relation"]) {
  const plain = type === undefined ? undefined : strip(type);
  const isPointer = plain?.kind === "pointer";
  const isSigned = plain?.kind === "int" || plain?.kind === "enum" ? plain.signed : /^[<>]=?$/.test(relation);
  return {
    size,
    isPointer,
    isSigned,
    shown: value === undefined ? undefined : valueText(value, { size, isPointer, isSigned, type: plain }),
  };
}
