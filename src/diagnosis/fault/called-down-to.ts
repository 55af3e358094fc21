/**
 * The function that returned to nowhere on x86-64. The exception's frames lie over what it left below the stack pointer, but the stack above
 * what was written over is whole, and code tells how far each call goes down:
 *
 *   S: return address into g, behind its call of f          f's frame begins at S + 8
 *      f calls h with so many bytes of stack in use         h's frame begins so far below
 *      …                                                    until one begins where the stack pointer is: that one has returned
 *
 * Registers that calls do not preserve are still as it left them: one that its code leaves with the address of its own stack proves it, or
 * shows that it was another. Calls through pointers are followed where a preserved register still leads to the pointer.
 */
import type { DecodedInstruction } from "../../arch/disassembler.ts";
import { RegisterSet } from "../../arch/registers.ts";
import { hex16, type VirtualAddress, virtual } from "../../bytes/address.ts";
import { InquestError } from "../../bytes/errors.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { thunkRegister } from "../../type-flow/control-flow.ts";
import { type FunctionFlow, flowOf } from "../../type-flow/function-flow.ts";
import { machineOf } from "../../type-flow/machine.ts";
import { Activations } from "./activation.ts";
import { isTool } from "./helper-functions.ts";
import { instructionAt, instructionBefore } from "./instruction-at.ts";
import { KnownValues } from "./known-values.ts";

export interface CalledDownTo {
  readonly function: string;
  readonly module: string | undefined;
  /** The functions from the whole frame down to it. */
  readonly chain: readonly string[];
  /** Where the whole return address lies. */
  readonly at: VirtualAddress;
  /** A register that still holds the address of its stack: "rsi = ff…3d60". */
  readonly witness: string;
}

/** Bytes above the stack pointer that are searched for a whole return address. */
const ABOVE = 1024;
/** Return addresses that are tried: some are of earlier calls. */
const MAX_STARTS = 3;
const MAX_DEPTH = 6;
/** Functions that one search looks into: those of modules and those called through pointers come first. */
const MAX_FUNCTIONS = 24;

interface Found {
  readonly flow: FunctionFlow;
  readonly chain: readonly string[];
  readonly witness: string;
}

/** @param sp behind the return @param registers as they are at the fault, by name */
export function calledDownTo(
  kernel: Kernel,
  sp: bigint,
  registers: RegisterSet,
  cpu: number | undefined,
  task: VirtualAddress | undefined,
): CalledDownTo | undefined {
  if (kernel.arch.name !== "x86_64") return undefined;
  let tried = 0;
  for (let above = 0; above < ABOVE && tried < MAX_STARTS; above += 8) {
    const at = virtual(BigInt.asUintN(64, sp + BigInt(above)));
    const word = kernel.memory.tryU64(at);
    if (word === undefined) return undefined;
    const entered = targetBefore(kernel, word);
    if (entered === undefined) continue;
    tried++;
    const search = new Search(kernel, sp, registers, cpu, task);
    search.enter(entered, at + 8n, [], 0);
    const found = search.best();
    if (found !== undefined)
      return { function: found.flow.name, module: found.flow.module, chain: found.chain, at, witness: found.witness };
  }
  return undefined;
}

/** What the call before a return address calls, when it says so itself. */
function targetBefore(kernel: Kernel, word: bigint): VirtualAddress | undefined {
  const symbol = kernel.arch.isKernelAddress(word) ? kernel.symbols.byAddress(virtual(word))?.symbol : undefined;
  if (symbol === undefined || !"tTwW".includes(symbol.type)) return undefined;
  const call = instructionBefore(kernel, virtual(word));
  const target = call?.flow === "call" ? call.operands.find((operand) => operand.kind === "target") : undefined;
  return target?.kind === "target" ? target.address : undefined;
}

class Search {
  readonly #kernel: Kernel;
  readonly #sp: bigint;
  readonly #registers: RegisterSet;
  readonly #preserved: RegisterSet;
  readonly #cpu: number | undefined;
  readonly #task: VirtualAddress | undefined;
  readonly #seen = new Set<string>();
  readonly #found = new Map<bigint, Found>();

  constructor(kernel: Kernel, sp: bigint, registers: RegisterSet, cpu: number | undefined, task: VirtualAddress | undefined) {
    this.#kernel = kernel;
    this.#sp = sp;
    this.#registers = registers;
    this.#cpu = cpu;
    this.#task = task;
    this.#preserved = new RegisterSet(registers.file);
    const { preserved, stackPointer } = machineOf("x86_64");
    registers.file.names.forEach((name, number) => {
      const value = registers.get(number);
      if (value !== undefined && preserved.has(name) && name !== stackPointer) this.#preserved.set(number, value);
    });
  }

  /** The one that a register proves: that its frame would begin there others have in common with it. */
  best(): Found | undefined {
    const [first] = this.#found.values();
    return first;
  }

  /** @param cfa of the function that is entered there */
  enter(address: VirtualAddress, cfa: bigint, chain: readonly string[], depth: number): void {
    const key = `${address} ${cfa}`;
    if (cfa < this.#sp || depth > MAX_DEPTH || this.#seen.size >= MAX_FUNCTIONS || this.#seen.has(key)) return;
    this.#seen.add(key);
    const flow = this.#flow(address);
    if (flow === undefined) return;
    const names = [...chain, flow.name];
    if (cfa === this.#sp) this.#consider(flow, cfa, names);
    for (const { target, below } of this.#calls(flow, cfa)) {
      if (this.#found.size > 0) return;
      this.enter(target, below, names, depth + 1);
    }
  }

  /** What the function calls, and where the frames of those begin. */
  #calls(flow: FunctionFlow, cfa: bigint): readonly { readonly target: VirtualAddress; readonly below: bigint }[] {
    const found: { readonly target: VirtualAddress; readonly below: bigint; readonly rank: number }[] = [];
    for (const pc of flow.addresses) {
      const instruction = instructionAt(this.#kernel, pc);
      if (instruction?.flow !== "call" && instruction?.flow !== "jump") continue;
      const down = flow.stackAt(pc);
      // A jump out of the function leaves the callee the frame as the function itself found it.
      const isJump = instruction.flow === "jump";
      const below = down === undefined ? undefined : cfa + BigInt(down) + (isJump ? 8n : 0n);
      if (below === undefined || below < this.#sp) continue;
      const target = this.#target(flow, instruction, isJump);
      const symbol = target === undefined ? undefined : this.#kernel.symbols.byAddress(target)?.symbol;
      if (target === undefined || symbol === undefined || isTool({ function: symbol.name, module: symbol.module })) continue;
      const direct = instruction.operands.some((operand) => operand.kind === "target" && operand.address === target);
      found.push({ target, below, rank: symbol.module !== undefined ? 0 : direct ? 2 : 1 });
    }
    return found.sort((a, b) => a.rank - b.rank);
  }

  #flow(address: VirtualAddress): FunctionFlow | undefined {
    try {
      return flowOf(this.#kernel, address);
    } catch (error) {
      if (error instanceof InquestError) return undefined;
      throw error;
    }
  }

  #target(flow: FunctionFlow, { address: pc, operands: [operand] }: DecodedInstruction, isJump: boolean): VirtualAddress | undefined {
    if (operand?.kind === "target") {
      const name = this.#kernel.symbols.byAddress(operand.address)?.symbol.name ?? "";
      const register = thunkRegister(name);
      if (register !== undefined) return this.#pointer(flow, pc, register);
      const inside = flow.parts.some(({ start, end }) => operand.address >= start && operand.address < end);
      return /return_thunk$/.test(name) || (isJump && inside) ? undefined : operand.address;
    }
    return operand?.kind === "register" ? this.#pointer(flow, pc, operand.full) : undefined;
  }

  /** A function whose start the register leads to, by what the preserved registers still lead to. */
  #pointer(flow: FunctionFlow, pc: VirtualAddress, register: string): VirtualAddress | undefined {
    const activations = new Activations(this.#kernel, pc, this.#preserved);
    const value = new KnownValues(this.#kernel, activations, this.#cpu, this.#task).of(0, flow.originOf(pc, register))?.value;
    if (value === undefined || !this.#kernel.arch.isKernelAddress(value)) return undefined;
    const code = this.#kernel.symbols.byAddress(virtual(value));
    return code?.offset === 0 && "tTwW".includes(code.symbol.type) ? virtual(value) : undefined;
  }

  /** It has a frame of its own, and at one of its returns a register is left with the address of that. */
  #consider(flow: FunctionFlow, cfa: bigint, chain: readonly string[]): void {
    const returns = flow.addresses.filter((pc) => this.#isReturn(pc));
    if (!flow.addresses.some((pc) => (flow.stackAt(pc) ?? 0) < -8)) return;
    for (const pc of returns) {
      const witness = this.#witness(flow, pc, cfa);
      if (witness !== undefined) this.#found.set(flow.addresses[0] as bigint, { flow, chain, witness });
    }
  }

  #isReturn(pc: VirtualAddress): boolean {
    const instruction = instructionAt(this.#kernel, pc);
    const [operand] = instruction?.operands ?? [];
    if (instruction?.flow === "return") return true;
    return operand?.kind === "target" && /return_thunk$/.test(this.#kernel.symbols.byAddress(operand.address)?.symbol.name ?? "");
  }

  /** A register that holds the address of the function's own stack, as it leaves it. */
  #witness(flow: FunctionFlow, pc: VirtualAddress, cfa: bigint): string | undefined {
    const { names } = this.#registers.file;
    let found: string | undefined;
    for (const name of machineOf("x86_64").registers) {
      const value = this.#registers.get(names.indexOf(name));
      const origin = value === undefined || name === "rsp" ? undefined : flow.originOf(pc, name);
      if (origin?.kind !== "stack") continue;
      if (value !== BigInt.asUintN(64, cfa + BigInt(origin.offset))) return undefined;
      found ??= `${name} = ${hex16(value)}`;
    }
    return found;
  }
}
