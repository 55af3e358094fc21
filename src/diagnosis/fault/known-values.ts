/**
 * Values of what the type flow tells a register was made of, from registers that the unwind recovered, from stack slots, from variables,
 * and from the callers. A definition's value is known where some register or slot still holds it: the same definition reaches both.
 *
 *   rbx at f+0x85 ◄── load of segment from (parameter request)       request: still in rbp ─► ff3589d60298c2c0
 */
import { add, type VirtualAddress, virtual } from "../../bytes/address.ts";
import { InquestError } from "../../bytes/errors.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { Origin } from "../../type-flow/origin.ts";
import type { Activation, Activations } from "./activation.ts";
import { instructionAt } from "./instruction-at.ts";
import { movedRegisters } from "./moved-registers.ts";
import { registersBefore } from "./rewind.ts";

/** Bytes of a frame that are searched for a spilled definition. */
const SPILLS = 512;
const MAX_DEPTH = 8;

export interface KnownValue {
  readonly value: bigint;
  /** Register or slot that still holds it, at its activation: "rbx". */
  readonly held?: string;
  /** It was read from memory that may have changed since. */
  readonly reread?: true;
}

export interface LoadPlace {
  readonly address: bigint;
  /** Bytes that were read. */
  readonly size: number;
  /** Value and holder of the base register, when the address is relative to one. */
  readonly base?: KnownValue;
  /** The index that was added, when there is one. */
  readonly index?: { readonly register: string; readonly value: bigint; readonly scale: number };
  readonly perCpu?: true;
}

export class KnownValues {
  readonly #kernel: Kernel;
  readonly #activations: Activations;
  readonly #cpu: number | undefined;
  readonly #task: VirtualAddress | undefined;
  #atFault: ReadonlyMap<string, bigint> | undefined;
  readonly #rewound = new Map<string, ReadonlyMap<string, bigint> | undefined>();

  constructor(kernel: Kernel, activations: Activations, cpu: number | undefined, task: VirtualAddress | undefined) {
    this.#kernel = kernel;
    this.#activations = activations;
    this.#cpu = cpu;
    this.#task = task;
  }

  /** What a link of an origin was, as far as that can be said for certain. @param level of the activation whose function it is in */
  of(level: number, origin: Origin, depth = 0): KnownValue | undefined {
    if (depth > MAX_DEPTH) return undefined;
    const activation = this.#activations.at(level);
    if (activation === undefined) return undefined;
    const held = this.#held(activation, origin);
    if (held !== undefined) return held;
    switch (origin.kind) {
      case "constant":
        return { value: origin.value };
      case "address":
        if (!origin.perCpu) return { value: origin.address };
        return this.#perCpu(origin.address);
      case "system":
        return origin.register === "sp_el0" && this.#task !== undefined ? { value: this.#task } : undefined;
      case "stack":
        return activation.cfa === undefined ? undefined : { value: BigInt.asUintN(64, activation.cfa + BigInt(origin.offset)) };
      case "sum": {
        if (origin.from === undefined || origin.added === undefined) return undefined;
        const from = this.of(level, origin.from, depth + 1);
        return from === undefined
          ? undefined
          : { ...(from.reread ? { reread: true as const } : {}), value: BigInt.asUintN(64, from.value + origin.added) };
      }
      case "load": {
        const place = this.place(level, origin, depth + 1);
        const value = place === undefined ? undefined : this.read(place.address, place.size);
        return value === undefined ? undefined : { value, reread: true };
      }
      case "parameter":
      case "entry":
        return this.#onEntry(level, origin.register, depth);
      case "merge": {
        // All ways the same value, or nothing.
        const values = origin.of.map((each) => this.of(level, each, depth + 1));
        const [first] = values;
        return first !== undefined && values.every((each) => each?.value === first.value) ? first : undefined;
      }
      default:
        return undefined;
    }
  }

  /** Where a load read from. */
  place(level: number, origin: Extract<Origin, { readonly kind: "load" }>, depth = 0): LoadPlace | undefined {
    const activation = this.#activations.at(level);
    const flow = activation?.flow;
    const facts = flow?.at(origin.pc);
    const fact = facts?.operands.find(({ memory }) => memory.access !== "address") ?? facts?.operands[0];
    if (activation === undefined || flow === undefined || fact === undefined) return undefined;
    const { memory } = fact;
    const isPair = /^ldn?p/.test(facts?.instruction.mnemonic ?? "");
    const size = isPair ? memory.size / 2 : memory.size;
    if (origin.variable !== undefined && fact.address !== undefined && memory.index === undefined) {
      if (fact.perCpu !== true) return { address: fact.address, size };
      const copy = this.#perCpu(fact.address);
      return copy === undefined ? undefined : { address: copy.value, size, perCpu: true };
    }
    if (memory.segment !== undefined) return undefined;
    // A variable that no symbol names.
    const absolute = BigInt.asUintN(64, memory.displacement);
    if (memory.base === undefined && memory.index === undefined)
      return this.#kernel.arch.isKernelAddress(absolute) ? { address: absolute, size } : undefined;
    // `table(,%rax,8)`: the displacement is the table.
    const table: KnownValue | undefined =
      memory.base === undefined && memory.index !== undefined && this.#kernel.arch.isKernelAddress(BigInt.asUintN(64, memory.displacement))
        ? { value: BigInt.asUintN(64, memory.displacement) }
        : undefined;
    const was = this.#before(level, origin.pc);
    const base = table ?? this.#register(level, memory.base, origin.pc, was, origin.from, depth);
    if (base === undefined) return undefined;
    let address = table === undefined ? base.value + memory.displacement : base.value;
    let counted: LoadPlace["index"];
    // The second register of a pair.
    if (isPair && origin.offset - (fact.offset === undefined ? memory.displacement : BigInt(fact.offset)) === BigInt(size))
      address += BigInt(size);
    if (memory.index !== undefined) {
      const whole = this.#register(level, memory.index, origin.pc, was, undefined, depth);
      const index = whole === undefined ? undefined : { value: extended(whole.value, memory.extend) };
      if (index === undefined) return undefined;
      address += index.value * BigInt(memory.scale);
      counted = { register: memory.index, value: index.value, scale: memory.scale };
    }
    return { address: BigInt.asUintN(64, address), size, base, ...(counted === undefined ? {} : { index: counted }) };
  }

  /** The base of a load whose index is not known any more. */
  table(level: number, { pc, from }: Extract<Origin, { readonly kind: "load" }>): KnownValue | undefined {
    const facts = this.#activations.at(level)?.flow?.at(pc);
    const memory = facts?.operands.find(({ memory }) => memory.access !== "address")?.memory;
    if (memory?.base === undefined || memory.index === undefined || memory.segment !== undefined) return undefined;
    // Either of the two registers may be the pointer.
    return from === undefined ? this.#register(level, memory.base, pc, this.#before(level, pc), undefined, 0) : this.of(level, from);
  }

  /** What a register held before an instruction of a function: by the way from there, else by what it was made of. */
  register(level: number, name: string, pc: bigint): KnownValue | undefined {
    return this.#register(level, name, pc, this.#before(level, pc), undefined, 0);
  }

  #register(
    level: number,
    name: string | undefined,
    pc: bigint,
    was: ReadonlyMap<string, bigint> | undefined,
    from: Origin | undefined,
    depth: number,
  ): KnownValue | undefined {
    const activation = this.#activations.at(level);
    if (name === undefined || activation?.flow === undefined) return undefined;
    const value = was?.get(name);
    if (value === undefined) return this.of(level, from ?? activation.flow.originOf(pc, name), depth);
    return this.#registersOf(activation).get(name) === value ? { value, held: name } : { value };
  }

  #before(level: number, pc: bigint): ReadonlyMap<string, bigint> | undefined {
    const key = `${level} ${pc}`;
    const known = this.#rewound.get(key);
    if (known !== undefined || this.#rewound.has(key)) return known;
    const activation = this.#activations.at(level);
    const found =
      activation === undefined
        ? undefined
        : registersBefore(
            this.#activations.machine,
            { flow: activation.flow, pc: activation.pc, registers: this.#registersOf(activation) },
            pc,
          );
    this.#rewound.set(key, found);
    return found;
  }

  /** Those that still are what the code before the instruction made them: a string instruction has moved its own on. */
  #registersOf(activation: Activation): ReadonlyMap<string, bigint> {
    if (activation !== this.#activations.at(0)) return activation.registers;
    this.#atFault ??= unmoved(this.#kernel, activation);
    return this.#atFault;
  }

  /** Memory as it is now; undefined when it cannot be read. */
  read(address: bigint, size: number): bigint | undefined {
    const bytes = size < 1 || size > 8 ? undefined : this.#kernel.memory.tryBytes(virtual(address), size);
    return bytes?.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
  }

  #perCpu(address: bigint): KnownValue | undefined {
    const offset = this.#cpu === undefined ? undefined : this.#kernel.perCpuOffsets[this.#cpu];
    return offset === undefined ? undefined : { value: add(virtual(address), offset) };
  }

  /** What a register held when the function was entered: what the caller had in it at its call or jump. */
  #onEntry(level: number, register: string, depth: number): KnownValue | undefined {
    const caller = this.#activations.at(level + 1);
    if (caller?.flow === undefined) return undefined;
    const there = caller.registers.get(register);
    if (there !== undefined) return { value: there, held: register };
    return this.of(level + 1, caller.flow.originOf(caller.pc, register), depth + 1);
  }

  #held(activation: Activation, origin: Origin): KnownValue | undefined {
    const { flow, pc, cfa } = activation;
    const registers = this.#registersOf(activation);
    if (flow === undefined || !isDefinite(origin)) return undefined;
    for (const [name, value] of registers) {
      if (name !== this.#activations.machine.stackPointer && sameOrigin(flow.originOf(pc, name), origin)) return { value, held: name };
    }
    if (cfa === undefined) return undefined;
    for (let slot = -8; slot >= -SPILLS; slot -= 8) {
      let found: Origin;
      try {
        found = flow.originOf(pc, { slot });
      } catch (error) {
        if (error instanceof InquestError) return undefined;
        throw error;
      }
      if (!sameOrigin(found, origin)) continue;
      const value = this.#kernel.memory.tryU64(virtual(BigInt.asUintN(64, cfa + BigInt(slot))));
      if (value !== undefined) return { value, held: `the stack at ${slot < 0 ? "-" : ""}0x${Math.abs(slot).toString(16)}` };
    }
    return undefined;
  }
}

function unmoved(kernel: Kernel, { pc, registers }: Activation): ReadonlyMap<string, bigint> {
  const moved =
    kernel.arch.name === "x86_64" && kernel.arch.isKernelAddress(pc) ? movedRegisters(instructionAt(kernel, pc)) : new Set<string>();
  return moved.size === 0 ? registers : new Map([...registers].filter(([name]) => !moved.has(name)));
}

/** arm64: an index of 32 bits, with its sign or without. */
function extended(value: bigint, how: string | undefined): bigint {
  return how === undefined ? value : how === "sxtw" ? BigInt.asIntN(32, value) : BigInt.asUintN(32, value);
}

/** Can be told from any other definition by itself. */
function isDefinite({ kind }: Origin): boolean {
  return kind === "parameter" || kind === "entry" || kind === "load" || kind === "result" || kind === "sum" || kind === "merge";
}

/** The same definition: of one instruction there is one result of a kind, but for the two loads of a pair. */
export function sameOrigin(a: Origin, b: Origin): boolean {
  if (a.kind !== b.kind) return false;
  switch (a.kind) {
    case "parameter":
    case "entry":
      return a.register === (b as typeof a).register;
    case "load": {
      const other = b as typeof a;
      return a.pc === other.pc && a.offset === other.offset;
    }
    case "result":
      return a.pc === (b as typeof a).pc;
    case "constant":
      return a.value === (b as typeof a).value;
    case "sum": {
      const other = b as typeof a;
      return a.pc === other.pc && a.added === other.added;
    }
    case "merge": {
      const other = b as typeof a;
      return a.pc === other.pc && a.of.length === other.of.length && a.of.every((each, i) => sameOrigin(each, other.of[i] as Origin));
    }
    default:
      return false;
  }
}
