/**
 * Registers before earlier instructions of the way that a function came by: what an instruction did is undone, what it did not touch is as it
 * was. So the base of a load is known though a loop has moved it on since, and an index though it was added to its table:
 *
 *   mov (%rbx),%rdi      rbx = ff…3a00                            ▲ rbx - 8
 *   add $0x8,%rbx        rbx = ff…3a08 at the call                │ known
 *   call f               only registers that calls preserve       │
 *
 * Only the way between two places where ways meet is gone: what ran there, ran last and in this order. What was lost backwards may be found
 * forwards again (a copy, a sum of what is known); both are done until nothing new is found.
 */
import type { DecodedInstruction, MemoryOperand } from "../../arch/disassembler.ts";
import type { Machine } from "../../type-flow/machine.ts";
import type { Effect, Expression } from "../../type-flow/operation.ts";
import type { Activation } from "./activation.ts";

type Values = Map<string, bigint>;

/** Times the way is gone back and forth. */
const MAX_ROUNDS = 3;

/** What was in a function's registers before an instruction; undefined when that is not on the way that it certainly came by. */
export function registersBefore(
  machine: Machine,
  activation: Pick<Activation, "flow" | "pc" | "registers">,
  pc: bigint,
): ReadonlyMap<string, bigint> | undefined {
  const { flow } = activation;
  if (pc === activation.pc) return activation.registers;
  const way = flow?.wayTo(activation.pc) ?? [];
  const end = way.findIndex(({ address }) => address === pc);
  if (end < 0) return undefined;
  return rewound(machine, way.slice(0, end + 1), activation.registers);
}

/**
 * Registers before the last instruction of a way.
 * @param way the nearest first
 * @param after what is known behind it
 */
export function rewound(
  machine: Machine,
  way: readonly DecodedInstruction[],
  after: ReadonlyMap<string, bigint>,
): ReadonlyMap<string, bigint> {
  const steps = way.map((instruction) => ({ instruction, ...machine.operation(instruction) }));
  // states[i + 1] is before way[i].
  const states: Values[] = [new Map(after), ...way.map(() => new Map<string, bigint>())];
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const before = count(states);
    steps.forEach(({ kind, effects }, i) => {
      const post = states[i] as Values;
      const pre = states[i + 1] as Values;
      if (kind === "call") back(machine, post, pre);
      else undo(effects, post, pre);
    });
    for (let i = steps.length - 1; i >= 0; i--) {
      const { kind, effects } = steps[i] as (typeof steps)[number];
      const pre = states[i + 1] as Values;
      const post = states[i] as Values;
      if (kind === "call") back(machine, pre, post);
      else redo(effects, pre, post);
    }
    if (count(states) === before) break;
  }
  return states.at(-1) as Values;
}

function count(states: readonly Values[]): number {
  return states.reduce((sum, { size }) => sum + size, 0);
}

/** What calls preserve is the same on both sides. */
function back(machine: Machine, from: Values, to: Values): void {
  for (const [name, value] of from) if (machine.preserved.has(name)) learn(to, name, value);
}

function learn(values: Values, name: string, value: bigint): void {
  if (!values.has(name)) values.set(name, BigInt.asUintN(64, value));
}

function written(effects: readonly Effect[]): ReadonlySet<string> {
  return new Set(effects.flatMap((effect) => (effect.kind === "register" ? [effect.to] : [])));
}

function undo(effects: readonly Effect[], post: Values, pre: Values): void {
  const changed = written(effects);
  for (const [name, value] of post) if (!changed.has(name)) learn(pre, name, value);
  for (const effect of effects) {
    if (effect.kind !== "register" || effect.width !== 8) continue;
    const value = post.get(effect.to);
    if (value !== undefined) solve(effect.value, value, pre);
  }
}

/** What must have been in the one register of an expression that is not known. */
function solve(expression: Expression, value: bigint, pre: Values): void {
  switch (expression.kind) {
    case "register":
      if (expression.size === 8) learn(pre, expression.name, value);
      return;
    case "sum": {
      const { left, right } = expression;
      const one = evaluated(left, pre);
      const other = evaluated(right, pre);
      // The same register twice is no sum to be solved.
      if (one === undefined && other !== undefined) solve(left, BigInt.asUintN(64, value - other), pre);
      else if (one !== undefined && other === undefined) solve(right, BigInt.asUintN(64, value - one), pre);
      return;
    }
    case "address": {
      const { base, index, displacement, segment } = expression.memory;
      if (segment !== undefined || base === undefined || base === index) return;
      const added = index === undefined ? 0n : indexOf(expression.memory, pre);
      if (added !== undefined) learn(pre, base, value - displacement - added);
      return;
    }
    default:
  }
}

function redo(effects: readonly Effect[], pre: Values, post: Values): void {
  const changed = written(effects);
  for (const [name, value] of pre) if (!changed.has(name)) learn(post, name, value);
  for (const effect of effects) {
    if (effect.kind !== "register" || effect.width < 4) continue;
    const value = evaluated(effect.value, pre);
    if (value !== undefined) learn(post, effect.to, BigInt.asUintN(effect.width * 8, value));
  }
}

function indexOf({ index, scale, extend }: MemoryOperand, values: Values): bigint | undefined {
  const found = index === undefined ? undefined : values.get(index);
  if (found === undefined) return undefined;
  const whole = extend === undefined ? found : extend === "sxtw" ? BigInt.asIntN(32, found) : BigInt.asUintN(32, found);
  return whole * BigInt(scale);
}

/** All of its 64 bits, or nothing. */
function evaluated(expression: Expression, values: Values): bigint | undefined {
  switch (expression.kind) {
    case "constant":
      return expression.value;
    case "register":
      return expression.size === 8 ? values.get(expression.name) : undefined;
    case "sum": {
      const left = evaluated(expression.left, values);
      const right = evaluated(expression.right, values);
      return left === undefined || right === undefined ? undefined : BigInt.asUintN(64, left + right);
    }
    case "address": {
      const { base, index, displacement, segment } = expression.memory;
      const start = base === undefined ? 0n : values.get(base);
      const added = index === undefined ? 0n : indexOf(expression.memory, values);
      if (segment !== undefined || start === undefined || added === undefined) return undefined;
      return BigInt.asUintN(64, start + added + displacement);
    }
    default:
      return undefined;
  }
}
