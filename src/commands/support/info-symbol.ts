/** What `info symbol`, `info address`, `info line` and `info scope` say. */
import { hex16, type VirtualAddress, virtual } from "../../bytes/address.ts";
import { LookupError, UnsupportedError, UsageError } from "../../bytes/errors.ts";
import { declare } from "../../debug-info/c-format-type.ts";
import { sizeOf, strip } from "../../debug-info/c-type.ts";
import type { LineRow } from "../../debug-info/debug-info.ts";
import type { BoundDebugInfo } from "../../kernel/debug-info.ts";
import { isText } from "../../kernel/expression/scope.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { Session } from "../command.ts";
import type { InfoAnswer } from "../info.ts";
import { evaluateIn } from "./session-scope.ts";
import { compilersPath } from "./source-path.ts";
import { symbolLabeller } from "./symbol-label.ts";

/** Sections of the kernel's image between symbols of its linker script. */
const SECTIONS: readonly (readonly [string, string, string])[] = [
  [".text", "_stext", "_etext"],
  [".init.text", "_sinittext", "_einittext"],
  [".rodata", "__start_rodata", "__end_rodata"],
  [".data", "_sdata", "_edata"],
  [".bss", "__bss_start", "__bss_stop"],
  [".init.data", "__init_begin", "__init_end"],
];

export function symbolInfo(session: Session, operands: string): InfoAnswer {
  if (operands === "") throw new UsageError("usage: info symbol ADDRESS");
  const { kernel } = session;
  const address = addressOf(session, operands);
  const found = kernel.symbols.byAddress(address);
  const inCode = found !== undefined && isText(kernel, found.symbol) && sectionOf(kernel, address) !== undefined;
  // Data by the rule that names pointers: what lies behind the last object of a section belongs to nothing.
  if (found === undefined || !(inCode || symbolLabeller(kernel)(address, false) !== undefined))
    return { text: [`No symbol matches ${operands}.`], data: { address, symbol: null } };
  const { symbol, offset } = found;
  const where = symbol.module === undefined ? sectionOf(kernel, address) : `module ${symbol.module}`;
  const place = where === undefined ? "" : ` in ${where}`;
  return {
    text: [`${symbol.name}${offset === 0 ? "" : ` + ${offset}`}${place}`],
    data: { address, symbol: symbol.name, offset, module: symbol.module ?? null, section: where ?? null },
  };
}

function sectionOf(kernel: Kernel, address: bigint): string | undefined {
  const section = SECTIONS.find(([, from, to]) => {
    const start = kernel.tryAddress(from);
    const end = kernel.tryAddress(to);
    return start !== undefined && end !== undefined && address >= start && address < end;
  });
  return section === undefined ? undefined : `section ${section[0]}`;
}

/** A number, pointer or function of an expression; a variable that is neither stands for its place. */
function addressOf(session: Session, text: string): VirtualAddress {
  const value = evaluateIn(session, text);
  const { kind } = strip(value.type);
  if (kind === "int" || kind === "enum" || kind === "pointer") return virtual(value.bigint());
  if (value.address === undefined) throw new UsageError(`"${text}" is no address`);
  return value.address;
}

export function addressInfo({ kernel }: Session, operands: string): InfoAnswer {
  const symbol = kernel.symbols.byName(operands);
  if (symbol === undefined) throw kernel.unknownSymbol(operands);
  const kind = isText(kernel, symbol) ? "a function at address" : "static storage at address";
  const text = `Symbol "${symbol.name}" is ${kind} 0x${symbol.address.toString(16)}.`;
  return { text: [text], data: { name: symbol.name, address: symbol.address } };
}

interface Place {
  readonly owner: BoundDebugInfo;
  readonly row: LineRow;
}

/** Places that `function`, `*address` or `file.c:line` mean. Throws with the reason why there are none. */
function placesOf(session: Session, text: string): readonly Place[] {
  const { kernel } = session;
  if (text === "") throw new UsageError("a place is missing: function, *address or file.c:line");
  const { debugInfo } = kernel;
  const [, file, number] = /^'?([^:']+)'?:(\d+)$/.exec(text) ?? [];
  if (file !== undefined && number !== undefined) {
    const found = debugInfo.files.flatMap((owner) => owner.info.addressesOf(file, Number(number)).map((row) => ({ owner, row })));
    if (found.length === 0)
      throw debugInfo.files.length === 0
        ? noLines()
        : new LookupError(`no code comes from ${file}:${number} in the files of debug information`);
    return found;
  }
  const address = addressOf(session, text.replace(/^\*\s*/, ""));
  const described = debugInfo.at(address);
  const row = described?.info.lineAt(described.link);
  if (debugInfo.files.length === 0) throw noLines();
  if (described === undefined || row === undefined) throw new LookupError(`no source line is known for ${text} (${hex16(address)})`);
  return [{ owner: described, row }];
}

function noLines(): UnsupportedError {
  return new UnsupportedError("source lines need a vmlinux with debug information: inquest DUMP VMLINUX");
}

export function lineInfo(session: Session, operands: string): InfoAnswer {
  const { kernel } = session;
  const places = placesOf(session, operands);
  const data = places.map(({ owner, row }) => {
    const start = kernel.debugInfo.runtime(owner, row.range.low);
    const end = kernel.debugInfo.runtime(owner, endOfLine(owner, row));
    return { file: compilersPath(kernel, row.file, start), line: row.line, start, end };
  });
  const text = data.map(
    ({ file, line, start, end }) =>
      `Line ${line} of "${file}" starts at address ${labelled(kernel, start)} and ends at ${labelled(kernel, end)}.`,
  );
  return { text, data };
}

/** A line's rows may follow each other: the end is that of the last. */
function endOfLine({ info }: BoundDebugInfo, row: LineRow): bigint {
  let end = row.range.high;
  for (const next of info.lines({ low: row.range.low, high: row.range.low + MAX_LINE_BYTES })) {
    if (next.range.low < row.range.low) continue;
    if (next.line !== row.line || next.file !== row.file || next.range.low > end) break;
    end = next.range.high;
  }
  return end;
}

const MAX_LINE_BYTES = 4096n;

function labelled(kernel: Kernel, address: VirtualAddress): string {
  const found = kernel.symbols.byAddress(address);
  const name = found === undefined ? "" : ` <${found.symbol.name}${found.offset === 0 ? "" : `+${found.offset}`}>`;
  return `0x${address.toString(16)}${name}`;
}

/** Parameters and locals of the scopes around a place, innermost first. */
export function scopeInfo(session: Session, operands: string): InfoAnswer {
  const [place] = placesOf(session, operands);
  if (place === undefined) throw new LookupError(`no code at ${operands}`);
  const scopes = place.owner.info.scopesAt(place.row.range.low);
  const data = scopes.map((scope) => ({
    kind: scope.kind,
    name: scope.name ?? null,
    variables: scope.variables.map(({ name, kind, type }) => ({ name, kind, type: declare(type), size: sizeOf(type) })),
  }));
  const variables = data.flatMap((scope) => scope.variables);
  if (variables.length === 0) return { text: [`Symbol table for ${operands} has no locals.`], data };
  const text = variables.map(({ name, kind, type, size }) => `Symbol ${name} is a ${kind} of type ${type}, length ${size}.`);
  return { text: [`Scope for ${operands}:`, ...text], data };
}
