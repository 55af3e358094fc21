/**
 * A report's frames with the kernel they come from: file, line and inlined functions as scripts/decode_stacktrace.sh gives them, and the
 * member that the faulting instruction touches.
 *
 *   func+0x12/0x34 [mod]  ──symbols: func of size 0x34──►  address ──DWARF──►  inlined ◄ inlined ◄ func, each with its line
 *
 * KASLR does not matter: the report tells places within functions. Where several functions have the name, the size decides; where it does
 * not, nothing is said. A return address stands for the call before it.
 */
import { add, type VirtualAddress, virtual } from "../../bytes/address.ts";
import { InquestError } from "../../bytes/errors.ts";
import type { SourcePlace } from "../../debug-info/debug-info.ts";
import type { KernelSymbol } from "../../debug-info/symbols.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { type FunctionFlow, flowOf, type OperandFact } from "../../type-flow/function-flow.ts";
import { originText } from "../../type-flow/origin.ts";
import type { VerdictFrame } from "../verdict.ts";
import type { LogReport } from "./report.ts";

/** Padding up to the next function, where a symbol has no size of its own. */
const PADDING = 64;
const PAGE = 4096;
/** Copies of a function that compilers made: its name with these endings. */
const ENDINGS = 32;

/** What the faulting instruction touches, in C. */
export interface TouchedMember {
  /** "struct sock". */
  readonly container: string;
  readonly member: string;
  /** "sk->sk_socket", when the function's own names are known. */
  readonly text?: string;
  /** Where the base's value came from: "dev->ops". */
  readonly origin?: string;
}

/** The report with files, lines and inlined frames wherever the kernel knows the function. */
export function symbolised(kernel: Kernel, report: LogReport): LogReport {
  const pc = report.pc === undefined ? undefined : withLines(kernel, report.pc, true).at(-1);
  return {
    ...report,
    ...(pc === undefined ? {} : { pc }),
    traces: report.traces.map((trace) => ({
      ...trace,
      // Lines that are there already were made from the very kernel.
      frames: trace.frames.some(({ file }) => file !== undefined)
        ? trace.frames
        : trace.frames.flatMap((frame) => withLines(kernel, frame, isPlace(frame, report.pc))),
    })),
  };
}

function isPlace(frame: VerdictFrame, pc: VerdictFrame | undefined): boolean {
  return pc !== undefined && frame.function === pc.function && frame.offset === pc.offset;
}

/** Where a frame of a report lies in the kernel; undefined when it cannot be told. */
export function addressOfFrame(kernel: Kernel, { function: name, offset, size, module }: VerdictFrame): VirtualAddress | undefined {
  if (name === undefined || offset === undefined) return undefined;
  const symbols = candidates(kernel, name).filter((symbol) => symbol.module === module);
  const exact = symbols.filter((symbol) => size === undefined || symbol.size === size || roomOf(kernel, symbol) === size);
  const fitting =
    exact.length > 0 ? exact : symbols.filter((symbol) => isPadded(symbol, size ?? 0) || endsModule(kernel, symbol, size ?? 0));
  const [only, ...more] = fitting;
  return only === undefined || more.some(({ address }) => address !== only.address) ? undefined : add(only.address, offset);
}

/** The report's names carry no ".isra.0" any more: symbols of that name with and without. */
function candidates(kernel: Kernel, name: string): readonly KernelSymbol[] {
  const copies = kernel.symbols.prefix(`${name}.`, ENDINGS);
  return [name, ...copies].flatMap((each) => kernel.symbols.allByName(each));
}

/** kallsyms' size of a function reaches to the next symbol, an ELF file's to its end. */
function roomOf(kernel: Kernel, { address }: KernelSymbol): number | undefined {
  const next = kernel.symbols.neighbours(address).next?.address;
  return next === undefined ? undefined : Number(next - address);
}

function isPadded({ size }: KernelSymbol, wanted: number): boolean {
  return size !== undefined && wanted > size && wanted - size < PADDING;
}

/** kernel/module/kallsyms.c: the last function of a module reaches to the end of its text, which is rounded up to pages. */
function endsModule(kernel: Kernel, symbol: KernelSymbol, wanted: number): boolean {
  const { size, module } = symbol;
  if (module === undefined || size === undefined || wanted <= size || wanted - size >= PAGE) return false;
  return (roomOf(kernel, symbol) ?? wanted) >= size + PADDING;
}

/** Inlined frames, innermost first, then the frame itself. */
function withLines(kernel: Kernel, frame: VerdictFrame, exact: boolean): VerdictFrame[] {
  if (frame.inlined === true || frame.file !== undefined) return [frame];
  const address = attempt(() => addressOfFrame(kernel, frame));
  if (address === undefined) return [frame];
  const at = exact ? address : virtual(address - 1n);
  const scopes = attempt(() => kernel.debugInfo.scopes(at)) ?? [];
  let source: SourcePlace | undefined = attempt(() => kernel.debugInfo.line(at));
  const found: VerdictFrame[] = [];
  for (const { kind, name, call } of scopes) {
    if (kind !== "inlined") continue;
    if (name !== undefined) found.push({ function: name, ...placeOf(kernel, source), inlined: true });
    source = call;
  }
  return [...found, { ...frame, ...placeOf(kernel, source) }];
}

function placeOf(kernel: Kernel, source: SourcePlace | undefined): { readonly file?: string; readonly line?: number } {
  return source === undefined ? {} : { file: fromTop(kernel, source.file), line: source.line };
}

/** Path from the top of the kernel's sources, which the file of start_kernel() tells. */
function fromTop(kernel: Kernel, file: string): string {
  const top = kernel.memo(fromTop, () => {
    const start = kernel.symbols.byName("start_kernel")?.address;
    const known = start === undefined ? undefined : attempt(() => kernel.debugInfo.scopes(start).at(-1)?.declared?.file);
    return known?.endsWith("init/main.c") === true ? known.slice(0, -"init/main.c".length) : "";
  });
  if (top !== "" && file.startsWith(top)) return file.slice(top.length);
  // Assembly keeps the directory it was built in where C does not.
  return file.replace(/^\/.*?\/(?=arch\/[a-z0-9]+\/(?:entry|kernel|lib|mm|crypto|kvm)\/[\w-]+\.S$)/, "");
}

/** The member that the instruction at the report's pc touches; `registers`: of the operand that failed, where that is known. */
export function touchedMember(kernel: Kernel, report: LogReport, registers: readonly string[] | undefined): TouchedMember | undefined {
  const { pc } = report;
  const address = pc === undefined ? undefined : attempt(() => addressOfFrame(kernel, pc));
  if (address === undefined) return undefined;
  const flow = attempt(() => flowOf(kernel, address));
  const facts = attempt(() => flow?.at(address));
  if (flow === undefined || facts === undefined) return undefined;
  const [operand, ...more] = facts.operands.filter(
    ({ memory, member, container }) =>
      member !== undefined &&
      container !== undefined &&
      (registers === undefined || (memory.base !== undefined && registers.includes(memory.base))),
  );
  if (operand?.container === undefined || operand.member === undefined || more.length > 0) return undefined;
  const origin = originOf(flow, address, operand);
  return {
    container: operand.container,
    member: operand.member,
    ...(operand.text === undefined ? {} : { text: operand.text }),
    ...(origin === undefined ? {} : { origin }),
  };
}

function originOf(flow: FunctionFlow, pc: bigint, { memory }: OperandFact): string | undefined {
  const { base } = memory;
  const origin = base === undefined ? undefined : attempt(() => flow.originOf(pc, base));
  return origin === undefined ? undefined : originText(origin);
}

function attempt<T>(ask: () => T): T | undefined {
  try {
    return ask();
  } catch (error) {
    if (error instanceof InquestError) return undefined;
    throw error;
  }
}
