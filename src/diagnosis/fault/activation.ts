/**
 * The functions that were running at the fault, each with the instruction at which it stands: the fault's own function, then its callers at
 * their call instructions (a frame's pc is the return address behind). A function that left by a jump has no frame; where the call's target
 * and the callee differ and one chain of such jumps leads from one to the other, it stands in the list too.
 *
 *   lab_slab_visit        at its faulting instruction       registers: all
 *   lab_slab_use_after_free   at `jmp lab_slab_visit`       registers: those that calls preserve, as the caller had them
 *   lab_slab_trigger_set  at `call lab_slab_use_after_free` registers: those that the unwind recovered
 */
import type { DecodedInstruction } from "../../arch/disassembler.ts";
import type { RegisterSet } from "../../arch/registers.ts";
import { type VirtualAddress, virtual } from "../../bytes/address.ts";
import { InquestError } from "../../bytes/errors.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { UnwoundStack } from "../../stack/frame.ts";
import { thunkRegister } from "../../type-flow/control-flow.ts";
import { mainPart } from "../../type-flow/function-extent.ts";
import { type FunctionFlow, flowOf } from "../../type-flow/function-flow.ts";
import { type Machine, machineOf } from "../../type-flow/machine.ts";
import { veneerTarget } from "../../type-flow/veneer.ts";
import { instructionBefore } from "./instruction-at.ts";

export interface Activation {
  /** Place in the unwound stack; undefined for a function that left by a jump, and when only the log tells registers. */
  readonly frame: number | undefined;
  /** The instruction: the faulting one, a call, or a jump. */
  readonly pc: VirtualAddress;
  readonly function: string;
  readonly module: string | undefined;
  /** pc minus the function's start. */
  readonly offset: number;
  /** undefined where the code cannot be followed. */
  readonly flow: FunctionFlow | undefined;
  /** Values of registers before the instruction that are certain, by name. */
  readonly registers: ReadonlyMap<string, bigint>;
  /** Canonical frame address; undefined where it is not known. */
  readonly cfa: bigint | undefined;
  /** It called the one before by a jump that was found in the code, not proved by a return address. */
  readonly byJump: boolean;
}

/** Jumps that one call may go on through. */
const MAX_JUMPS = 3;
/** Functions that a search for jumps looks into. */
const MAX_SEARCHED = 24;

/** Gives the functions one after the other, as far as they are asked for. */
export class Activations {
  readonly #kernel: Kernel;
  readonly #stack: UnwoundStack | undefined;
  /** Of the same activations, before anything more is known of types. */
  readonly #plainFlows: (FunctionFlow | undefined)[] = [];
  readonly #list: Activation[] = [];
  #nextFrame: number | undefined;
  #retype: ((level: number, plain: FunctionFlow) => FunctionFlow) | undefined;
  #extending = false;
  #targetOf: ((level: number, call: DecodedInstruction) => bigint | undefined) | undefined;
  readonly machine: Machine;

  /**
   * @param registers at the fault
   * @param frame of the fault in the stack
   */
  constructor(kernel: Kernel, pc: VirtualAddress, registers: RegisterSet, stack?: UnwoundStack, frame?: number) {
    this.#kernel = kernel;
    this.#stack = stack;
    this.machine = machineOf(kernel.arch.name);
    this.#nextFrame = frame === undefined ? undefined : frame + 1;
    const known = new Map<string, bigint>();
    for (const name of this.machine.registers) {
      const value = registers.get(registers.file.names.indexOf(name));
      if (value !== undefined) known.set(name, value);
    }
    this.#list.push(this.#at(pc, frame, known, this.#callerSp(frame), false));
  }

  /** From now on flows are asked for with what else is known of types; the one that is being made is plain as long. */
  retypeBy(retype: (level: number, plain: FunctionFlow) => FunctionFlow): void {
    this.#retype = retype;
  }

  /** From now on calls through pointers are followed to what the pointer held: a function that went on by a jump is found there too. */
  followBy(targetOf: (level: number, call: DecodedInstruction) => bigint | undefined): void {
    this.#targetOf = targetOf;
  }

  /** 0: the function of the fault. undefined where nothing certain follows. */
  at(index: number): Activation | undefined {
    while (this.#list.length <= index) {
      // Types that are asked for on the way to a caller cannot come from that caller.
      if (this.#extending) return undefined;
      const before = this.#list.length;
      this.#extending = true;
      try {
        this.#extend();
      } finally {
        this.#extending = false;
      }
      if (this.#list.length === before) return undefined;
    }
    return this.#list[index];
  }

  /** The stack pointer of the frame outside, which is this one's canonical frame address. */
  #callerSp(frame: number | undefined): bigint | undefined {
    const next = frame === undefined ? undefined : this.#stack?.frames[frame + 1];
    return next?.kind === "call" && next.certainty === "exact" ? next.registers.sp : undefined;
  }

  #extend(): void {
    const frame = this.#nextFrame;
    const next = frame === undefined ? undefined : this.#stack?.frames[frame];
    const inner = this.#list.at(-1);
    if (next === undefined || frame === undefined || inner === undefined || next.kind !== "call" || next.certainty !== "exact") return;
    this.#nextFrame = frame + 1;
    const call = instructionBefore(this.#kernel, next.pc);
    if (call === undefined) {
      this.#nextFrame = undefined;
      return;
    }
    const known = new Map<string, bigint>();
    for (const name of this.machine.registers) {
      if (!this.machine.preserved.has(name)) continue;
      const value = next.registers.get(next.registers.file.names.indexOf(name));
      if (value !== undefined) known.set(name, value);
    }
    // A function's own start, by which the call must have entered it.
    const direct = call.operands.find((operand) => operand.kind === "target");
    const thunk = direct !== undefined && /^__x86_indirect_/.test(this.#kernel.symbols.byAddress(direct.address)?.symbol.name ?? "");
    const target = thunk ? undefined : direct;
    // Not the typed flow: that asks for callers, which are only being found here.
    const flow = this.#plainFlows.at(-1);
    if (target !== undefined && flow === undefined && this.#list.length === 1) {
      // The function that is called goes on by a jump through a pointer: nothing changed registers behind it.
      const jump = jumpTo(this.#kernel, target.address, inner.pc, inner.registers);
      if (jump !== undefined) this.#list.push(this.#at(jump, undefined, inner.registers, next.registers.sp, true));
    }
    if (target !== undefined && flow !== undefined) {
      const start = (flow.parts[0] as { readonly start: bigint }).start;
      const jumps = this.#jumps(veneerTarget(this.#kernel, target.address) ?? target.address, start);
      if (jumps === undefined) {
        this.#nextFrame = undefined;
        return;
      }
      // Innermost first: the last jump enters the function that is known.
      for (const jump of jumps.reverse()) this.#list.push(this.#at(jump.pc, undefined, known, undefined, true, jump.certain));
    }
    // No instruction ran between the call and the fetch that failed: the registers are still what they were.
    const fetched = this.#list.length === 1 && flow === undefined && target === undefined;
    const registers = fetched ? new Map([...inner.registers, ...known]) : known;
    if (target === undefined && flow !== undefined) this.#pushJumped(flow, call, frame, known);
    this.#list.push(this.#at(call.address, frame, registers, this.#callerSp(frame), false));
  }

  /** A call through a pointer to a function that went on by a jump. */
  #pushJumped(inner: FunctionFlow, call: DecodedInstruction, frame: number, known: ReadonlyMap<string, bigint>): void {
    if (this.#targetOf === undefined) return;
    // The pointer's value is asked for as if the caller stood next.
    this.#list.push(this.#at(call.address, frame, known, this.#callerSp(frame), false));
    const entered = this.#targetOf(this.#list.length - 1, call);
    this.#list.pop();
    const start = (inner.parts[0] as { readonly start: bigint }).start;
    if (entered === undefined || entersAt(entered, start) || !this.#kernel.arch.isKernelAddress(entered)) return;
    for (const jump of this.#jumps(virtual(entered), start)?.reverse() ?? [])
      this.#list.push(this.#at(jump.pc, undefined, known, undefined, true, jump.certain));
  }

  #at(
    pc: VirtualAddress,
    frame: number | undefined,
    registers: ReadonlyMap<string, bigint>,
    cfa: bigint | undefined,
    byJump: boolean,
    certain = true,
  ): Activation {
    let plain: FunctionFlow | undefined;
    try {
      plain = certain ? flowOf(this.#kernel, pc) : undefined;
    } catch (error) {
      if (!(error instanceof InquestError)) throw error;
    }
    this.#plainFlows.push(plain);
    const level = this.#list.length;
    const retype = (from: FunctionFlow) => this.#retype?.(level, from);
    let typed: FunctionFlow | undefined;
    let busy = false;
    const symbol = this.#kernel.arch.isKernelAddress(pc) ? this.#kernel.symbols.byAddress(pc) : undefined;
    return {
      frame,
      pc,
      function: symbol?.symbol.name ?? `0x${pc.toString(16)}`,
      module: symbol?.symbol.module,
      offset: symbol?.offset ?? 0,
      get flow() {
        if (plain === undefined || typed !== undefined || busy) return typed ?? plain;
        busy = true;
        try {
          typed = retype(plain);
        } finally {
          busy = false;
        }
        return typed ?? plain;
      },
      registers,
      cfa,
      byJump,
    };
  }

  /**
   * The jumps by which a call of one function ends in another, in their order; none when it is called itself; undefined when that is not
   * known. A function that leaves for the same other one in several places was there all the same, only not certainly at that instruction.
   */
  #jumps(from: VirtualAddress, to: bigint): Jump[] | undefined {
    if (entersAt(from, to)) return [];
    const open: { readonly at: VirtualAddress; readonly jumps: VirtualAddress[] }[] = [{ at: from, jumps: [] }];
    const found: VirtualAddress[][] = [];
    for (let searched = 0; searched < MAX_SEARCHED; searched++) {
      const next = open.shift();
      if (next === undefined) break;
      for (const { pc, target } of outwardJumps(this.#kernel, next.at)) {
        const jumps = [...next.jumps, pc];
        if (entersAt(target, to)) found.push(jumps);
        else if (jumps.length < MAX_JUMPS) open.push({ at: target, jumps });
      }
    }
    const [first, ...others] = found;
    const starts = (jumps: readonly VirtualAddress[]) => jumps.map((pc) => mainPart(this.#kernel, pc).start).join();
    if (first === undefined || others.some((each) => starts(each) !== starts(first))) return undefined;
    return first.map((pc, at) => ({ pc, certain: others.every((each) => each[at] === pc) }));
  }
}

interface Jump {
  readonly pc: VirtualAddress;
  /** There is only one. */
  readonly certain: boolean;
}

/** Past endbr64, bti, and the nops of a tracer: the compiler's own jumps may leave them out. */
function entersAt(target: bigint, start: bigint): boolean {
  return target >= start - 16n && target <= start + 8n;
}

/** The only jump of a function that goes through a register which holds the target. */
function jumpTo(
  kernel: Kernel,
  address: VirtualAddress,
  target: bigint,
  registers: ReadonlyMap<string, bigint>,
): VirtualAddress | undefined {
  let flow: FunctionFlow;
  try {
    flow = flowOf(kernel, mainPart(kernel, address).start);
  } catch (error) {
    if (error instanceof InquestError) return undefined;
    throw error;
  }
  const found = flow.addresses.filter((pc) => {
    const { instruction } = flow.at(pc) ?? {};
    if (instruction?.flow !== "jump") return false;
    const [operand] = instruction.operands;
    const name = operand?.kind === "target" ? (kernel.symbols.byAddress(operand.address)?.symbol.name ?? "") : "";
    const register = operand?.kind === "register" ? operand.full : thunkRegister(name);
    return register !== undefined && registers.get(register) === target;
  });
  return found.length === 1 ? found[0] : undefined;
}

/** Jumps of a function that leave it for another. */
function outwardJumps(
  kernel: Kernel,
  address: VirtualAddress,
): readonly { readonly pc: VirtualAddress; readonly target: VirtualAddress }[] {
  let flow: FunctionFlow;
  try {
    flow = flowOf(kernel, mainPart(kernel, address).start);
  } catch (error) {
    if (error instanceof InquestError) return [];
    throw error;
  }
  const found: { pc: VirtualAddress; target: VirtualAddress }[] = [];
  for (const pc of flow.addresses) {
    const { instruction } = flow.at(pc) ?? {};
    if (instruction?.flow !== "jump") continue;
    const target = instruction.operands.find((operand) => operand.kind === "target");
    if (target === undefined || flow.parts.some(({ start, end }) => target.address >= start && target.address < end)) continue;
    found.push({ pc, target: target.address });
  }
  return found;
}
