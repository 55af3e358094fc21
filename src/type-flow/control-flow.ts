/**
 * A function as blocks of instructions and the ways between them.
 *
 *   entry ─► block ─┬─► block ─► return
 *                   └─► block ─► jump through a table ─► hub ─► any instruction
 *
 * What a jump through a table reaches is not worked out: it may be any instruction. Then every instruction is a block of its own that the
 * hub leads to, and only what holds at every jump through a table is known behind it.
 *
 * A trap may go on: WARN() is ud2 or brk and returns behind it. So may a call of a function that never returns; both only make less known.
 */
import { type DecodedInstruction, type Disassembler, disassemblerFor } from "../arch/disassembler.ts";
import { distance, type VirtualAddress } from "../bytes/address.ts";
import { UnsupportedError } from "../bytes/errors.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { coldPart, type FunctionRange, mainPart } from "./function-extent.ts";

/** Larger functions are not looked at; the largest of a distribution's kernel have 40 KiB. */
const MAX_BYTES = 1 << 17;

/** Functions that do not return, of those that are called often (tools/objtool/noreturns.h). */
const NEVER_RETURN = new Set([
  "__stack_chk_fail",
  "panic",
  "nmi_panic",
  "do_exit",
  "make_task_dead",
  "rewind_stack_and_make_dead",
  "__fortify_panic",
  "fortify_panic",
  "usercopy_abort",
  "__module_put_and_kthread_exit",
  "kthread_exit",
  "do_group_exit",
]);

/** A function that is jumped to and that returns for its caller, or calls for it: `return thunks` and `indirect thunks`. */
const RETURN_THUNK = /^(__x86_return_thunk|(srso|retbleed|its)_\w*return_thunk|zen_untrain_ret|its_return_thunk)$/;
const INDIRECT_THUNK = /^__x86_indirect_(?:call_|jump_|its_)?thunk_(r\w+|array)$/;

export interface Block {
  /** Instructions from `first` up to `end`, which is exclusive. */
  readonly first: number;
  readonly end: number;
  /** Blocks that control may come from; -1 is the hub. */
  readonly from: readonly number[];
  readonly to: readonly number[];
}

export interface ControlFlow {
  readonly parts: readonly FunctionRange[];
  /** In the order of their addresses, part by part. */
  readonly instructions: readonly DecodedInstruction[];
  readonly blocks: readonly Block[];
  /** Block of each instruction. */
  readonly blockOf: Int32Array;
  /** Block where the function starts: always 0. */
  readonly entry: 0;
  /** Blocks that end in a jump through a table. */
  readonly tables: readonly number[];
  /** Place of an instruction in `instructions` by its address. */
  readonly places: ReadonlyMap<bigint, number>;
}

/** Register that a call or jump to an indirect thunk of x86-64 goes through; undefined for all other targets. */
export function thunkRegister(name: string): string | undefined {
  const found = INDIRECT_THUNK.exec(name)?.[1];
  // The array begins with the one for rax, which has its name too.
  return found === "array" ? "rax" : found;
}

/** The blocks of the function that holds an address. Throws LookupError, FaultError; UnsupportedError when it is beyond reason. */
export function controlFlowOf(kernel: Kernel, address: VirtualAddress): ControlFlow {
  const disassembler = disassemblerFor(kernel.arch.name);
  const main = mainPart(kernel, address);
  const instructions = decodePart(kernel, disassembler, main);
  const cold = unlikelyPart(kernel, main, instructions);
  if (cold === undefined) return buildControlFlow([main], instructions, (at) => nameAt(kernel, at));
  const parts = [main, cold];
  instructions.push(...decodePart(kernel, disassembler, cold));
  return buildControlFlow(parts, instructions, (at) => nameAt(kernel, at));
}

function nameAt(kernel: Kernel, address: VirtualAddress): string | undefined {
  const found = kernel.symbols.byAddress(address);
  return found?.offset === 0 ? found.symbol.name : undefined;
}

function unlikelyPart(kernel: Kernel, main: FunctionRange, instructions: readonly DecodedInstruction[]): FunctionRange | undefined {
  for (const { flow, operands } of instructions) {
    if (flow !== "jump" && flow !== "conditional") continue;
    const operand = operands.find(({ kind }) => kind === "target");
    const cold = operand?.kind === "target" ? coldPart(kernel, main, operand.address) : undefined;
    if (cold !== undefined) return cold;
  }
  return undefined;
}

function decodePart(kernel: Kernel, disassembler: Disassembler, { name, start, end }: FunctionRange): DecodedInstruction[] {
  const size = distance(end, start);
  if (size > MAX_BYTES) throw new UnsupportedError(`${name} has ${size} bytes: functions of more than ${MAX_BYTES} are not followed`);
  const code = kernel.memory.bytes(start, size);
  const found: DecodedInstruction[] = [];
  for (let at = 0; at < code.length; ) {
    const instruction = disassembler.decode(code.subarray(at, at + disassembler.longest), (start + BigInt(at)) as VirtualAddress);
    found.push(instruction);
    at += Math.max(1, instruction.size);
  }
  return found;
}

/** @param nameAt the function that starts at an address */
export function buildControlFlow(
  parts: readonly FunctionRange[],
  instructions: readonly DecodedInstruction[],
  nameAt: (address: VirtualAddress) => string | undefined,
): ControlFlow {
  const places = new Map(instructions.map(({ address }, index) => [address as bigint, index]));
  const ways = instructions.map((instruction, index) => waysFrom(instruction, index, instructions, places, nameAt));
  const anywhere = ways.some((each) => each === "table");
  const leaders = new Set<number>([0]);
  ways.forEach((each, index) => {
    if (anywhere) leaders.add(index);
    if (each === "next") return;
    if (index + 1 < instructions.length) leaders.add(index + 1);
    if (each !== "table") for (const to of each) leaders.add(to);
  });
  const starts = [...leaders].sort((a, b) => a - b);
  const blockOf = new Int32Array(instructions.length);
  for (const [block, first] of starts.entries()) blockOf.fill(block, first, starts[block + 1] ?? instructions.length);
  const tables: number[] = [];
  const to = starts.map((first, block): readonly number[] => {
    const last = (starts[block + 1] ?? instructions.length) - 1;
    const way = last < first ? [] : ways[last];
    if (way === "table") {
      tables.push(block);
      return [];
    }
    return way === "next" ? [block + 1] : Array.from(new Set(way), (place) => blockOf[place] as number);
  });
  const from: number[][] = starts.map(() => (anywhere ? [-1] : []));
  to.forEach((each, block) => {
    for (const next of each) from[next]?.push(block);
  });
  const blocks = starts.map((first, block) => ({
    first,
    end: starts[block + 1] ?? instructions.length,
    from: from[block] ?? [],
    to: to[block] ?? [],
  }));
  return { parts, instructions, blocks, blockOf, entry: 0, tables, places };
}

/** Places that control goes to, "next" for just the following one, "table" when it cannot be told. */
function waysFrom(
  { address, size, flow, operands, valid }: DecodedInstruction,
  index: number,
  instructions: readonly DecodedInstruction[],
  places: ReadonlyMap<bigint, number>,
  nameAt: (address: VirtualAddress) => string | undefined,
): readonly number[] | "next" | "table" {
  const end = BigInt.asUintN(64, address + BigInt(size));
  const following = instructions[index + 1]?.address === end ? [index + 1] : [];
  const next = following.length === 1 ? "next" : [];
  const operand = operands.find(({ kind }) => kind === "target");
  const target = operand?.kind === "target" ? operand.address : undefined;
  const inside = target === undefined ? undefined : places.get(target);
  switch (flow) {
    case "return":
      return [];
    case "trap":
      return valid && size > 1 ? next : [];
    case "conditional":
      return inside === undefined ? next : [...following, inside];
    case "call":
      return target !== undefined && NEVER_RETURN.has(nameAt(target) ?? "") ? [] : next;
    case "jump": {
      if (inside !== undefined) return [inside];
      if (target === undefined) return isTailJump(instructions, index) ? [] : "table";
      const name = nameAt(target);
      if (name === undefined || RETURN_THUNK.test(name) || thunkRegister(name) === undefined) return [];
      return isTailJump(instructions, index) ? [] : "table";
    }
    default:
      return next;
  }
}

/**
 * A jump through a register or memory ends the function when it is a call in place of a return: what precedes it takes the frame down, or
 * the function has put none up. A jump through a table computes its target just before.
 */
function isTailJump(instructions: readonly DecodedInstruction[], index: number): boolean {
  const jump = instructions[index] as DecodedInstruction;
  const [operand] = jump.operands;
  // jmp *table(,%rax,8)
  if (operand?.kind === "memory" && operand.index !== undefined) return false;
  const through = operand?.kind === "register" ? operand.full : undefined;
  for (let back = index - 1; back >= Math.max(0, index - 12); back--) {
    const before = instructions[back] as DecodedInstruction;
    if (before.flow !== "next") return true;
    if (through !== undefined && before.writes.includes(through)) {
      // br x16 behind `add x16, x1, w0, sxtb #2`; jmp *%rax behind `mov table(,%rdx,8),%rax` or `add %rcx,%rax`.
      const memory = before.operands.find(({ kind }) => kind === "memory");
      return !/^add/.test(before.mnemonic) && (memory?.kind !== "memory" || memory.index === undefined);
    }
  }
  return true;
}
