/** Instructions as `dis` tells of them: operands named, ftrace's sites, what they touch; and how crash lays out one. */
import type { Instruction } from "../../arch/disassembler.ts";
import { add, distance, type VirtualAddress } from "../../bytes/address.ts";
import { isPerCpu } from "../../kernel/expression/scope.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { isFtraceSite } from "../../linux/ftrace.ts";
import { type Annotation, type Annotator, annotationText } from "../support/annotation.ts";
import { type Decoded, instructionsFrom } from "../support/code.ts";
import { lazy } from "../support/lazy.ts";
import { explained } from "../support/spaces.ts";
import { symbolLabeller } from "../support/symbol-label.ts";
import type { SymbolLabel } from "../support/value-node.ts";

/** An address with the symbol it lies in. */
export interface LabelledAddress {
  readonly address: bigint;
  readonly symbol?: SymbolLabel;
}

/** One instruction, its operands named. */
export interface DisLine extends LabelledAddress {
  /** Bytes of the instruction in hexadecimal. */
  readonly bytes: string;
  /** With its prefixes. */
  readonly mnemonic: string;
  readonly operands: string;
  /** What stands between the two: spaces up to a column on x86-64, a tab on arm64. */
  readonly separator: string;
  /** Where it branches to, or the address it forms; the last of the operands. */
  readonly target?: LabelledAddress;
  /** Address of its memory operand, when that is relative to the instruction. */
  readonly reference?: LabelledAddress;
  /** binutils' remark on arm64: an immediate in decimal, other names of a condition. */
  readonly comment?: string;
  /** "FTRACE NOP": ftrace turned a call into this. */
  readonly note?: string;
  /** -l, -a: where it was compiled from. */
  readonly source?: { readonly file: string; readonly line: number };
  /** -a: what it touches, names and calls. */
  readonly annotation?: Annotation;
}

/** Instructions of the kernel from an address up to another, as `dis` shows them; the disassembler must have been loaded. */
export function codeLines(kernel: Kernel, start: VirtualAddress, end: VirtualAddress): Iterable<DisLine> {
  const labeller = symbolLabeller(kernel);
  const details: Details = { user: false, skip: 0, lined: false, annotator: undefined };
  const decoded = () => instructionsFrom(kernel, kernel.memory, start, end);
  return lazy(() => describe(kernel, (at) => labeller(at, false), details, explainedFaults(kernel, decoded)));
}

/** How each instruction is told of. */
export interface Details {
  /** It is user code: it has no symbols. */
  readonly user: boolean;
  /** Bytes behind ud2 that are data. */
  readonly skip: number;
  readonly lined: boolean;
  readonly annotator: Annotator | undefined;
}

/** What is decoded, up to memory that cannot be read: the error then says why. */
export function* explainedFaults(kernel: Kernel, decoded: () => Iterable<Decoded>): Generator<Decoded, void, undefined> {
  const iterator = decoded()[Symbol.iterator]();
  for (;;) {
    const next = explained(kernel, () => iterator.next());
    if (next.done === true) return;
    yield next.value;
  }
}

/** Instructions with what is known of each. @param label names an address of the kernel */
export function* describe(
  kernel: Kernel,
  label: (address: bigint) => SymbolLabel | undefined,
  { user, skip, lined, annotator }: Details,
  decoded: Iterable<Decoded>,
): Generator<DisLine, void, undefined> {
  let skipTo: bigint | undefined;
  for (const { instruction, bytes } of decoded) {
    if (skipTo !== undefined && instruction.address < skipTo) continue;
    if (skip > 0 && instruction.mnemonic === "ud2") skipTo = instruction.address + BigInt(instruction.size + skip);
    const labelled = (address: bigint): LabelledAddress => {
      const symbol = user ? undefined : label(address);
      return symbol === undefined ? { address } : { address, symbol };
    };
    const patched =
      !user && instruction.flow === "next" && /nop|xchg/.test(instruction.mnemonic) && isFtraceSite(kernel, instruction.address);
    const row = lined ? kernel.debugInfo.statement(instruction.address) : undefined;
    const annotation = annotator?.annotate(instruction.address);
    yield {
      ...labelled(instruction.address),
      bytes: Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(""),
      mnemonic: instruction.mnemonic,
      operands: instruction.operands + (instruction.target === undefined ? "" : `0x${instruction.target.toString(16)}`),
      separator: instruction.separator,
      ...(instruction.target === undefined ? {} : { target: labelled(instruction.target) }),
      ...(instruction.reference === undefined
        ? {}
        : { reference: perCpuReference(kernel, instruction) ?? labelled(instruction.reference) }),
      ...(instruction.note === undefined ? {} : { comment: instruction.note }),
      ...(patched ? { note: "FTRACE NOP" } : {}),
      ...(row === undefined ? {} : { source: { file: row.file, line: row.line } }),
      ...(annotation === undefined ? {} : { annotation }),
    };
  }
}

/** `%gs:offset(%rip)` reaches the CPU's own copy of a per-CPU variable (x86-64): the offset is what the symbol table holds. */
function perCpuReference(kernel: Kernel, { operands, reference }: Instruction): LabelledAddress | undefined {
  if (reference === undefined || !operands.includes("%gs:")) return undefined;
  // byAddress() gives no names to small numbers, which these are on kernels before 6.15.
  const symbol = kernel.symbols.neighbours(add(reference, 1)).previous;
  if (symbol === undefined || !isPerCpu(kernel, symbol)) return undefined;
  return { address: reference, symbol: { name: symbol.name, offset: distance(reference, symbol.address) } };
}

/** Columns of instructions that annotations stand behind. */
const ANNOTATION_COLUMN = 48;

/** One line as crash shows it; annotations behind a semicolon. */
export function disLine(line: DisLine, radix: 10 | 16): string {
  let text = line.mnemonic;
  if (line.operands !== "") text += line.separator + line.operands;
  if (line.target?.symbol !== undefined) text += ` ${symbolText(line.target.symbol, radix)}`;
  if (line.reference !== undefined) text += `        # ${labelText(line.reference, radix)}`;
  text += `${line.comment ?? ""}${line.note === undefined ? "" : ` [${line.note}]`}`;
  const said = line.annotation === undefined ? "" : annotationText(line.annotation, (symbol) => symbolText(symbol, radix));
  if (said !== "") text = `${text.padEnd(ANNOTATION_COLUMN)}; ${said}`;
  return `${line.symbol === undefined ? "   " : ""}${labelText(line, radix)}:\t${text}`;
}

/** `0xffffffff81000000 <symbol+16>` */
export function labelText({ address, symbol }: LabelledAddress, radix: 10 | 16): string {
  return `0x${address.toString(16)}${symbol === undefined ? "" : ` ${symbolText(symbol, radix)}`}`;
}

function symbolText({ name, offset }: SymbolLabel, radix: 10 | 16): string {
  return `<${name}${offset === 0 ? "" : radix === 16 ? `+0x${offset.toString(16)}` : `+${offset}`}>`;
}
