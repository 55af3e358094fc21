/**
 * Does a register keep its value between two places of a function? Answered from the instructions alone, over every way that control can
 * take from the one to the other.
 *
 *   low      push %rbx
 *            mov  0x20(%rdi),%rax
 *        ┌─► test %rax,%rax             on the ways from low to P nothing writes rdi, and no call lies there:
 *        │   call *%rax        P        rdi at P is what the function was entered with
 *        └── jne
 */
import { type DecodedInstruction, type Disassembler, disassemblerFor } from "../arch/disassembler.ts";
import type { RegisterFile } from "../arch/registers.ts";
import { virtual } from "../bytes/address.ts";
import { UnsupportedError } from "../bytes/errors.ts";
import type { Scope } from "../debug-info/debug-info.ts";
import type { AddressRange } from "../debug-info/dwarf/die.ts";
import type { BoundDebugInfo } from "../kernel/debug-info.ts";
import type { Kernel } from "../kernel/kernel.ts";

/** Larger functions are not looked at. */
const MAX_BYTES = 1 << 16;
/** What a traced function calls first leaves all registers as they are. */
const TRACERS = /^(__fentry__|_mcount|ftrace_(regs_)?caller|ftrace_stub)$/;

/** An instruction and where control goes from it, as places in the list; `ways` of a jump through a table are all. */
interface Step {
  readonly at: bigint;
  readonly end: bigint;
  readonly instruction: DecodedInstruction;
  readonly ways: readonly number[] | "all";
}

export class FunctionCode {
  readonly #kernel: Kernel;
  /** In the order of their addresses. */
  readonly #steps: readonly Step[];
  readonly #back: readonly (readonly number[])[];
  /** Steps that may lead to any other. */
  readonly #tables: readonly number[];

  readonly #entry: number;

  private constructor(kernel: Kernel, steps: readonly Step[], entry: bigint) {
    this.#kernel = kernel;
    this.#entry = steps.findIndex(({ at }) => at === entry);
    this.#steps = steps;
    this.#tables = steps.flatMap(({ ways }, index) => (ways === "all" ? [index] : []));
    const back: number[][] = steps.map(() => []);
    steps.forEach(({ ways }, index) => {
      if (ways !== "all") for (const to of ways) back[to]?.push(index);
    });
    this.#back = back;
  }

  /** The code of a function; undefined when it cannot be read, or no disassembler was loaded. */
  static of(kernel: Kernel, owner: BoundDebugInfo, { ranges, callSites }: Scope): FunctionCode | undefined {
    const known = kernel.memo(FunctionCode, () => new Map<bigint, FunctionCode | undefined>());
    const first = ranges[0]?.low;
    const disassembler = loadedDisassembler(kernel);
    if (first === undefined || disassembler === undefined) return undefined;
    const key = kernel.debugInfo.runtime(owner, first);
    if (!known.has(key)) {
      const there = ranges.map(({ low, high }) => ({
        low: kernel.debugInfo.runtime(owner, low),
        high: kernel.debugInfo.runtime(owner, high),
      }));
      // Jumps that are calls do not go on in the function. A patched one ends up to three bytes earlier, before padding.
      const tails = callSites
        .filter(({ tail }) => tail)
        .flatMap(({ returnAddress }) => [0n, 1n, 2n, 3n].map((back) => returnAddress - back));
      known.set(key, FunctionCode.#read(kernel, disassembler, there, new Set(tails.map((each) => kernel.debugInfo.runtime(owner, each)))));
    }
    return known.get(key);
  }

  static #read(
    kernel: Kernel,
    disassembler: Disassembler,
    ranges: readonly AddressRange[],
    tails: ReadonlySet<bigint>,
  ): FunctionCode | undefined {
    if (ranges.reduce((sum, { low, high }) => sum + Number(high - low), 0) > MAX_BYTES) return undefined;
    const code: { at: bigint; end: bigint; instruction: DecodedInstruction }[] = [];
    for (const { low, high } of ranges) {
      const bytes = kernel.memory.tryBytes(virtual(low), Number(high - low));
      if (bytes === undefined) return undefined;
      for (let at = 0; at < bytes.length; ) {
        const instruction = disassembler.decode(bytes.subarray(at), virtual(low + BigInt(at)));
        const size = Math.max(1, instruction.size);
        code.push({ at: low + BigInt(at), end: low + BigInt(at + size), instruction });
        at += size;
      }
    }
    code.sort((a, b) => (a.at < b.at ? -1 : 1));
    const places = new Map(code.map(({ at }, index) => [at, index]));
    return new FunctionCode(
      kernel,
      code.map((each) => ({ ...each, ways: waysFrom(each, places, tails) })),
      (ranges[0] as AddressRange).low,
    );
  }

  /** The instruction at an address. */
  at(address: bigint): DecodedInstruction | undefined {
    return this.#steps.find(({ at }) => at === address)?.instruction;
  }

  /** Address of the call or jump that ends at an address, or up to three bytes before it where it was patched shorter. */
  before(end: bigint): bigint | undefined {
    return this.#steps.findLast(
      (step) => step.end <= end && step.end > end - 4n && (step.instruction.flow === "call" || step.instruction.flow === "jump"),
    )?.at;
  }

  /** True when no way from one instruction to another (both by their addresses in the dump) writes the register. */
  keeps(file: RegisterFile, register: number, from: bigint, to: bigint): boolean {
    const between = this.#between(from, to);
    return between !== undefined && !between.some((index) => this.#writes(file, register, index));
  }

  /**
   * The instructions that may have given a register the value it has at another; `entry`: it may still have the one that the function was
   * entered with. undefined when the address is that of no instruction.
   */
  definitions(
    file: RegisterFile,
    register: number,
    at: bigint,
  ): { readonly writers: readonly DecodedInstruction[]; readonly entry: boolean } | undefined {
    const place = this.#steps.findIndex((step) => step.at === at);
    if (place < 0) return undefined;
    const writers = new Set<number>();
    let entry = place === this.#entry;
    this.#reach([...(this.#back[place] ?? []), ...this.#tables], (index) => {
      if (this.#writes(file, register, index)) {
        writers.add(index);
        return [];
      }
      if (index === this.#entry) entry = true;
      return this.#back[index] ?? [];
    });
    return { writers: Array.from(writers, (index) => (this.#steps[index] as Step).instruction), entry };
  }

  #writes(file: RegisterFile, register: number, index: number): boolean {
    const { instruction } = this.#steps[index] as Step;
    if (instruction.writes.includes(file.names[register] ?? "")) return true;
    const preserved = file.calleeSaved.includes(register) || register === file.sp;
    return instruction.flow === "call" && !preserved && !this.#isTracer(instruction);
  }

  /** Places of the instructions on the ways from one to another; undefined when one of the two is none. */
  #between(from: bigint, to: bigint): readonly number[] | undefined {
    const steps = this.#steps;
    const first = steps.findIndex(({ at }) => at === from);
    const last = steps.findIndex(({ at }) => at === to);
    if (first < 0 || last < 0) return undefined;
    const forth = this.#reach([first], (index) => (steps[index] as Step).ways);
    const back = this.#reach([...(this.#back[last] ?? []), ...this.#tables], (index) => this.#back[index] ?? []);
    return [...forth].filter((index) => back.has(index));
  }

  #reach(start: readonly number[], next: (index: number) => readonly number[] | "all"): ReadonlySet<number> {
    const reached = new Set(start);
    const open = [...reached];
    for (let index = open.pop(); index !== undefined; index = open.pop()) {
      const ways = next(index);
      if (ways === "all") return new Set(this.#steps.keys());
      for (const to of ways) {
        if (reached.has(to)) continue;
        reached.add(to);
        open.push(to);
      }
    }
    return reached;
  }

  #isTracer({ operands: [operand] }: DecodedInstruction): boolean {
    if (operand?.kind !== "target") return false;
    const found = this.#kernel.symbols.byAddress(operand.address);
    return found?.offset === 0 && TRACERS.test(found.symbol.name);
  }
}

function waysFrom(
  { end, instruction: { flow, operands } }: { readonly end: bigint; readonly instruction: DecodedInstruction },
  places: ReadonlyMap<bigint, number>,
  tails: ReadonlySet<bigint>,
): readonly number[] | "all" {
  const next = places.get(end);
  const on = next === undefined ? [] : [next];
  const operand = operands.find(({ kind }) => kind === "target");
  // A target outside is another function.
  const target = operand?.kind === "target" ? places.get(operand.address) : undefined;
  const jump = target === undefined ? [] : [target];
  switch (flow) {
    case "return":
      return [];
    case "jump":
      if (operand !== undefined) return jump;
      return tails.has(end) ? [] : "all";
    case "conditional":
      return [...on, ...jump];
    default:
      return on;
  }
}

function loadedDisassembler(kernel: Kernel): Disassembler | undefined {
  try {
    return disassemblerFor(kernel.arch.name);
  } catch (error) {
    if (error instanceof UnsupportedError) return undefined;
    throw error;
  }
}
