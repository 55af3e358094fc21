/**
 * What `dis -a` says beside an instruction: the members and variables that it touches, what its constants name, what it calls, and, where
 * a frame of the context task stands at it, the registers it used.
 *
 *   mov    0x44(%rdi),%eax                 ; file->f_mode (fmode_t)
 *   mov    $0xffffffff97ee5c9a,%rsi        ; "kthreadd"
 *   call   0xffffffff96f57490 <__set_task_comm>   ; void __set_task_comm(struct task_struct *, const char *, bool)
 */
import type { MemoryOperand } from "../../arch/disassembler.ts";
import type { RegisterSet } from "../../arch/registers.ts";
import { type VirtualAddress, virtual } from "../../bytes/address.ts";
import { InquestError } from "../../bytes/errors.ts";
import { declare } from "../../debug-info/c-format-type.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { type FunctionFlow, flowOf, type InstructionFacts, type OperandFact } from "../../type-flow/function-flow.ts";
import { type OriginLink, originLinks } from "../../type-flow/origin-links.ts";
import { quoteString } from "./escape-byte.ts";
import type { SymbolLabel } from "./value-node.ts";

export interface AnnotatedOperand {
  /** In C: "file->f_mode", "per_cpu(runqueues).nr_running". */
  readonly text: string;
  /** The structure that the base points to: "struct file". */
  readonly container?: string;
  readonly member?: string;
  /** Bytes from the start of the structure. */
  readonly offset?: number;
  /** Type of the member or variable, in C. */
  readonly type?: string;
  readonly variable?: string;
  readonly address?: bigint;
  readonly perCpu?: true;
  /** Where the base's value came from, the last link first. */
  readonly origin?: readonly OriginLink[];
}

export interface Annotation {
  readonly operands: readonly AnnotatedOperand[];
  /** Constants that name something: a symbol, or a string. */
  readonly constants: readonly { readonly value: bigint; readonly symbol?: SymbolLabel; readonly string?: string }[];
  readonly call?: { readonly name?: string; readonly prototype?: string };
  /** A frame of the context task stands here: registers that the memory operands use, and the addresses that they gave. */
  readonly frame?: { readonly level: number; readonly registers: Readonly<Record<string, bigint>>; readonly addresses: readonly bigint[] };
}

/** A frame that was interrupted at an instruction. */
export interface StandingFrame {
  readonly level: number;
  readonly pc: bigint;
  readonly registers: RegisterSet;
}

/** Characters of a string that are shown. */
const MAX_STRING = 60;

/** Annotates instructions one by one; a function that cannot be followed is told once in `notes`. */
export class Annotator {
  readonly #kernel: Kernel;
  readonly #label: (address: bigint) => SymbolLabel | undefined;
  readonly #frames: readonly StandingFrame[];
  #flow: FunctionFlow | undefined;
  #failed: bigint | undefined;

  constructor(kernel: Kernel, label: (address: bigint) => SymbolLabel | undefined, frames: readonly StandingFrame[]) {
    this.#kernel = kernel;
    this.#label = label;
    this.#frames = frames;
  }

  annotate(address: VirtualAddress): Annotation | undefined {
    const facts = this.#flowAt(address)?.at(address);
    if (facts === undefined) return undefined;
    const operands = facts.operands.flatMap((operand) => annotatedOperand(operand));
    const frame = this.#frame(facts);
    const call = facts.call;
    // adrp forms only half of an address.
    const constants = facts.instruction.mnemonic === "adrp" ? [] : facts.constants;
    return {
      operands,
      constants: constants.flatMap((value) => this.#named(value)),
      ...(call === undefined
        ? {}
        : {
            call: {
              ...(call.name === undefined ? {} : { name: call.name }),
              ...(call.type === undefined ? {} : { prototype: declare(call.type, call.name ?? "(*)") }),
            },
          }),
      ...(frame === undefined ? {} : { frame }),
    };
  }

  #flowAt(address: VirtualAddress): FunctionFlow | undefined {
    const holds = this.#flow?.parts.some(({ start, end }) => address >= start && address < end);
    if (holds) return this.#flow;
    const start = this.#kernel.symbols.byAddress(address)?.symbol.address;
    if (start === undefined || start === this.#failed) return undefined;
    try {
      this.#flow = flowOf(this.#kernel, address);
      return this.#flow;
    } catch (error) {
      // Code that is missing or beyond reason: the instructions are shown without.
      if (!(error instanceof InquestError)) throw error;
      this.#failed = start;
      return undefined;
    }
  }

  #named(value: bigint): Annotation["constants"] {
    const text = this.#string(value);
    if (text !== undefined) return [{ value, string: text }];
    const symbol = this.#label(value);
    return symbol === undefined ? [] : [{ value, symbol }];
  }

  /** A string constant: at no symbol of its own, a few printable characters and a NUL. A message of printk begins with its level. */
  #string(value: bigint): string | undefined {
    if (!this.#kernel.arch.isKernelAddress(value)) return undefined;
    const found = this.#kernel.symbols.byAddress(virtual(value));
    if (found !== undefined && (found.offset === 0 || "tTwW".includes(found.symbol.type))) return undefined;
    const bytes = this.#kernel.memory.tryBytes(virtual(value), MAX_STRING);
    if (bytes === undefined) return undefined;
    const nul = bytes.indexOf(0);
    const shown = nul < 0 ? bytes : bytes.subarray(0, nul);
    const body = shown[0] === 1 ? shown.subarray(1) : shown;
    if (body.length < 2 || !body.every((byte) => (byte >= 0x20 && byte < 0x7f) || byte === 9 || byte === 10)) return undefined;
    const text = String.fromCharCode(...shown);
    return nul < 0 ? `${text}...` : text;
  }

  #frame({ instruction, operands }: InstructionFacts): Annotation["frame"] {
    const frame = this.#frames.find(({ pc }) => pc === instruction.address);
    if (frame === undefined) return undefined;
    const value = (name: string) => frame.registers.get(frame.registers.file.names.indexOf(name));
    const registers: Record<string, bigint> = {};
    for (const name of instruction.reads) {
      const known = value(name);
      if (known !== undefined) registers[name] = known;
    }
    const addresses = operands.flatMap(({ memory }) => effectiveAddress(memory, value) ?? []);
    return { level: frame.level, registers, addresses };
  }
}

/** The address that an operand gave; undefined when a register is not known or a segment is involved. */
function effectiveAddress(memory: MemoryOperand, value: (name: string) => bigint | undefined): bigint | undefined {
  if (memory.segment !== undefined || memory.extend !== undefined) return undefined;
  const base = memory.base === undefined ? 0n : value(memory.base);
  const index = memory.index === undefined ? 0n : value(memory.index);
  if (base === undefined || index === undefined) return undefined;
  return BigInt.asUintN(64, base + index * BigInt(memory.scale) + memory.displacement);
}

function annotatedOperand({
  memory,
  text,
  container,
  member,
  offset,
  type,
  variable,
  address,
  perCpu,
  origin,
}: OperandFact): AnnotatedOperand[] {
  if (text === undefined) return [];
  // The instruction's own text names it already.
  if (variable !== undefined && memory.base === undefined && type === undefined && member === undefined && perCpu === undefined) return [];
  return [
    {
      text,
      ...(container === undefined ? {} : { container }),
      ...(member === undefined ? {} : { member }),
      ...(offset === undefined ? {} : { offset }),
      ...(type === undefined ? {} : { type: declare(type) }),
      ...(variable === undefined ? {} : { variable }),
      ...(address === undefined ? {} : { address }),
      ...(perCpu === undefined ? {} : { perCpu }),
      ...(origin === undefined ? {} : { origin: originLinks(origin) }),
    },
  ];
}

/** One line for the text. @param show how an address with its symbol is written */
export function annotationText({ operands, constants, call, frame }: Annotation, show: (symbol: SymbolLabel) => string): string {
  const parts = operands.map(({ text, type }) => (type === undefined ? text : `${text} (${type})`));
  for (const { symbol, string } of constants) {
    if (string !== undefined) parts.push(quoteString(string));
    else if (symbol !== undefined) parts.push(show(symbol));
  }
  if (call?.prototype !== undefined) parts.push(call.prototype);
  if (frame !== undefined) {
    const values = Object.entries(frame.registers).map(([name, value]) => `${name}=${value.toString(16)}`);
    const touched = frame.addresses.map((address) => `at ${address.toString(16)}`);
    parts.push([`frame #${frame.level}:`, ...values, ...touched].join(" "));
  }
  return parts.join("; ");
}
