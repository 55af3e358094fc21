/**
 * What the names of an expression mean in a dead kernel: variables whose type is known, functions by their prototype, enum constants,
 * symbols without a type; behind a `$` registers of the chosen frame and convenience variables.
 *
 *   name    a local of a frame that was chosen (frame, up, down) ─► symbol ─► enum constant ─► a local of the innermost frame
 *   $name   register ─► convenience variable
 *
 * gdb looks at the locals of its frame first in any case; here that waits until a frame is chosen, so that `p mm` means the same
 * whatever task is the context.
 */
import type { VirtualAddress } from "../../bytes/address.ts";
import { LookupError, UsageError } from "../../bytes/errors.ts";
import { type CType, sizeOf, strip } from "../../debug-info/c-type.ts";
import type { GlobalVariable } from "../../debug-info/debug-info.ts";
import type { KernelSymbol } from "../../debug-info/symbols.ts";
import type { Memory } from "../address-space.ts";
import type { BoundDebugInfo } from "../debug-info.ts";
import type { Kernel } from "../kernel.ts";
import { Value } from "../value.ts";
import { UNKNOWN_FUNCTION, VOID } from "./values.ts";

/** What names mean. */
export interface Scope {
  readonly memory: Memory;
  /**
   * A variable, function or enum constant; `void` where a symbol has no known type. undefined when the name means nothing.
   * @param template per-CPU variables are wanted too, at their template's address; without it they are refused
   */
  variable(name: string, template?: boolean): Value | undefined;
  /** A static variable of a source file or a function. Throws LookupError. */
  staticVariable(within: { readonly file: string } | { readonly function: string }, name: string): Value;
  /** The error for a name that means nothing. */
  unknown(name: string): LookupError;
  isTypeName(name: string): boolean;
  /** The error for a structure or enum that is named and not defined. */
  undefinedType(of: "struct" | "union" | "enum", name: string): LookupError;
  /** A type by C's spelling; throws. */
  type(spelling: string): CType;
  /** `$`, `$3`, `$$2`; undefined when there is no such value. */
  history(text: string): Value | undefined;
  /** `$rip`, `$foo`: a register of the chosen frame, or a convenience variable; undefined when it was never set. */
  dollar(name: string): Value | undefined;
  /** `$foo = …`. */
  assign(name: string, value: Value): void;
  /** False for a variable that is no per-CPU one; undefined where that is not known. */
  isPerCpu(name: string): boolean | undefined;
  /** One CPU's copy of what lies at a per-CPU address. */
  perCpu(address: VirtualAddress, cpu: bigint): VirtualAddress;
}

export interface ScopeOptions {
  /** Memory that pointers lead into: the kernel's unless told (`p -u`). */
  readonly memory?: Memory;
  /** Earlier results, oldest first; `$1` is the first. */
  readonly history?: readonly Value[];
  /** The chosen frame. */
  readonly frame?: FrameNames;
  /** Convenience variables by name with their `$`; an expression may set them. */
  readonly convenience?: Map<string, Value>;
}

/** What a frame lends an expression; the stack floor knows it. */
export interface FrameNames {
  /** The frame was chosen by hand: its locals come before the kernel's variables. */
  readonly chosen: boolean;
  /** A parameter or local; throws LookupError when it has no value, undefined when there is none of that name. */
  local(name: string): Value | undefined;
  /** A register by gdb's name, without `$`; throws LookupError when its value is not known, undefined when there is no such register. */
  register(name: string): Value | undefined;
}

/** Bytes of a string variable that are searched for its NUL. */
const MAX_STRING = 1 << 16;

/** Scope of a kernel. */
export function kernelScope(kernel: Kernel, options: ScopeOptions = {}): Scope {
  const memory = options.memory ?? kernel.memory;
  const history = options.history ?? [];
  const { frame, convenience } = options;
  const symbolValue = (symbol: KernelSymbol) =>
    new Value(kernel.memory, symbolType(kernel, symbol) ?? (isText(kernel, symbol) ? UNKNOWN_FUNCTION : VOID), symbol.address);
  return {
    memory,
    variable(name, template = false) {
      const chosen = frame?.chosen === true ? frame.local(name) : undefined;
      if (chosen !== undefined) return chosen;
      const symbol = kernel.symbols.byName(name);
      if (symbol !== undefined) {
        if (template || !isPerCpu(kernel, symbol)) return symbolValue(symbol);
        throw new UsageError(`"${name}" is per-CPU: say which CPU's: p ${name}:0, or per_cpu(${name}, 0)`);
      }
      const constant = kernel.types.enumerator(name);
      if (constant !== undefined) return new Value(memory, constant.type, { immediate: constant.value });
      return frame?.chosen === false ? frame.local(name) : undefined;
    },
    staticVariable: (within, name) => staticVariable(kernel, within, name),
    unknown(name) {
      // What headers call cpu_online_mask is a macro over __cpu_online_mask.
      const underscored = [`__${name}`, `_${name}`].filter((each) => kernel.symbols.byName(each) !== undefined);
      const nearest = [...new Set([...underscored, ...kernel.nearestSymbols(name)])].slice(0, 5);
      return kernel.unknownSymbol(name, nearest);
    },
    isTypeName: (name) => kernel.types.find("typedef", name) !== undefined && kernel.symbols.byName(name) === undefined,
    undefinedType: (of, name) => new LookupError(`${of} ${name} has no definition in this dump`, kernel.types.nearest([of], name)),
    type: (spelling) => kernel.types.type(spelling),
    history(text) {
      const back = /^\$\$(\d*)$/.exec(text);
      if (back !== null) return history[history.length - 1 - (back[1] === "" ? 1 : Number(back[1]))];
      return text === "$" ? history.at(-1) : history[Number(text.slice(1)) - 1];
    },
    dollar: (name) => frame?.register(name.slice(1)) ?? convenience?.get(name),
    assign(name, value) {
      if (convenience === undefined) throw new UsageError(`${name} cannot be set here`);
      if (convenience.size >= MAX_CONVENIENCE && !convenience.has(name)) throw new UsageError("too many convenience variables");
      convenience.set(name, value);
    },
    isPerCpu(name) {
      if (frame?.chosen === true && frame.local(name) !== undefined) return undefined;
      // Without SMP they are variables like others; without the section's bounds isPerCpu() does not know for certain.
      if (kernel.perCpuOffsets.every((offset) => offset === undefined || offset === 0n)) return undefined;
      const symbol = kernel.tryAddress("__per_cpu_start") === undefined ? undefined : kernel.symbols.byName(name);
      return symbol === undefined ? undefined : isPerCpu(kernel, symbol);
    },
    perCpu: (address, cpu) => kernel.perCpuAddress(address, Number(cpu)),
  };
}

const MAX_CONVENIENCE = 10_000;

/**
 * Declared type of a symbol: a variable's, or a function's prototype; undefined when the dump does not say. Of several static variables
 * of one name it is the one that lies at the symbol's address.
 */
export function symbolType(kernel: Kernel, symbol: KernelSymbol): CType | undefined {
  const { name } = symbol;
  if (isText(kernel, symbol)) return functionType(kernel, symbol);
  // The definition has the length of an array that its declaration leaves open.
  const type = declaredAt(kernel, symbol) ?? kernel.variableType(name, symbol);
  return type === undefined ? undefined : completed(kernel, symbol, type);
}

/**
 * Static functions may share a name and differ in their prototypes. Type sources know one of them: which, only debug information tells, by
 * the address; without it the prototype of a shared name is not known.
 */
function functionType(kernel: Kernel, symbol: KernelSymbol): CType | undefined {
  if (kernel.symbols.allByName(symbol.name).length <= 1) return kernel.types.find("function", symbol.name);
  const scope = kernel.debugInfo.scopes(symbol.address).at(-1);
  return scope?.name === symbol.name ? scope.type : undefined;
}

/** The type sources answer with the first variable of a name; where several have it, the one at the symbol's very address counts. */
function declaredAt(kernel: Kernel, symbol: KernelSymbol): CType | undefined {
  return variablesNamed(kernel, symbol.name).find(({ address }) => address === symbol.address)?.variable.type;
}

interface PlacedVariable {
  readonly variable: GlobalVariable;
  readonly address: VirtualAddress | undefined;
  readonly owner: BoundDebugInfo;
}

/** Variables of a name in all files of debug information that are in use, with their addresses in the dump. */
function variablesNamed(kernel: Kernel, name: string): readonly PlacedVariable[] {
  if (!kernel.debugInfo.present) return [];
  return kernel.debugInfo.files.flatMap((owner) =>
    owner.info.variables(name).map((variable) => ({
      variable,
      owner,
      address: variable.address === undefined ? undefined : runtimeAddress(kernel, owner, name, variable.address),
    })),
  );
}

/** Per-CPU variables that start at 0 (x86-64 before 6.15) are the same number in the file and in the dump; all others are moved. */
function runtimeAddress(kernel: Kernel, owner: BoundDebugInfo, name: string, link: bigint): VirtualAddress {
  const symbol = kernel.symbols.byName(name);
  return symbol?.address === link ? symbol.address : kernel.debugInfo.runtime(owner, link);
}

function staticVariable(kernel: Kernel, within: { readonly file: string } | { readonly function: string }, name: string): Value {
  if (!kernel.debugInfo.present)
    throw new LookupError(`which file or function "${name}" belongs to is not known without a vmlinux with debug information`);
  const named = variablesNamed(kernel, name);
  const found = named.filter(({ variable }) =>
    "file" in within ? isTail(variable.declared?.file, within.file) : variable.scope === within.function,
  );
  const placed = found.find(({ address }) => address !== undefined);
  if (placed?.address !== undefined) return new Value(kernel.memory, placed.variable.type, placed.address);
  const where = "file" in within ? `'${within.file}'` : within.function;
  if (found.length > 0) throw new LookupError(`${where}::${name} was optimized out`);
  const places = named.map(({ variable }) => `${variable.scope ?? `'${variable.declared?.file ?? "?"}'`}::${name}`);
  throw new LookupError(`there is no variable ${where}::${name}`, [...new Set(places)].slice(0, 5));
}

/** `fs/read_write.c` and `read_write.c` are tails of a path. */
function isTail(path: string | undefined, tail: string): boolean {
  return path !== undefined && (path === tail || path.endsWith(`/${tail}`));
}

/** An array declared without a length ends where the next symbol starts; a string at its NUL. */
function completed(kernel: Kernel, symbol: KernelSymbol, type: CType): CType {
  const plain = strip(type);
  if (plain.kind !== "array" || plain.length !== 0 || symbol.size === undefined) return type;
  const element = strip(plain.element);
  const size = sizeOf(plain.element);
  if (size === 0) return type;
  let length = Math.floor(symbol.size / size);
  if (element.kind === "int" && element.encoding !== "bool" && size === 1) {
    const bytes = kernel.memory.tryBytes(symbol.address, Math.min(length, MAX_STRING));
    const end = bytes?.indexOf(0) ?? -1;
    if (end >= 0) length = end + 1;
  }
  return length === 0 ? type : { kind: "array", element: plain.element, length };
}

/**
 * True for symbols in text sections. The letter alone does not tell: the 7.2 kernel of x86-64 lists data as "T" (seen in Debian's); the
 * kernel's own bounds decide where they are known.
 */
export function isText(kernel: Kernel, symbol: KernelSymbol): boolean {
  if (!"tTwW".includes(symbol.type)) return false;
  if (symbol.module !== undefined) return true;
  const bounds = kernel.memo(isText, () =>
    [
      ["_stext", "_etext"],
      ["_sinittext", "_einittext"],
      ["__entry_text_start", "__entry_text_end"],
    ].map(([from = "", to = ""]) => [kernel.tryAddress(from), kernel.tryAddress(to)] as const),
  );
  const [text] = bounds;
  if (text?.[0] === undefined || text[1] === undefined) return kernel.variableType(symbol.name) === undefined;
  return bounds.some(([from, to]) => from !== undefined && to !== undefined && symbol.address >= from && symbol.address < to);
}

/**
 * True for a per-CPU symbol: of the kernel itself it lies between __per_cpu_start and __per_cpu_end. A kernel that lists no data
 * symbols (5.10 arm64 without KALLSYMS_ALL) has neither; there a symbol whose own page is gone (the template is freed after boot) and
 * whose CPU 0 copy is mapped is taken for one.
 */
export function isPerCpu(kernel: Kernel, symbol: KernelSymbol): boolean {
  if (symbol.module !== undefined) return isModulePerCpu(kernel, symbol, symbol.module);
  const start = kernel.tryAddress("__per_cpu_start");
  const end = kernel.tryAddress("__per_cpu_end");
  if (start !== undefined && end !== undefined) return symbol.address >= start && symbol.address < end;
  if (kernel.memory.tryBytes(symbol.address, 1) !== undefined || isText(kernel, symbol)) return false;
  const cpu = kernel.perCpuOffsets.findIndex((offset) => offset !== undefined && offset !== 0n);
  return cpu >= 0 && kernel.memory.tryBytes(kernel.perCpuAddress(symbol.address, cpu), 1) !== undefined;
}

/** A module's per-CPU variables lie in an area of their own (struct module.percpu; none without SMP, where they are plain ones). */
function isModulePerCpu(kernel: Kernel, symbol: KernelSymbol, module: string): boolean {
  const struct = kernel.types.tryStruct("module");
  const start = struct?.tryField("percpu");
  const size = struct?.tryField("percpu_size");
  const found = kernel.modules.find(({ name }) => name === module);
  if (start === undefined || size === undefined || found === undefined) return false;
  const from = kernel.memory.tryU64(start.address(found.address));
  const length = kernel.memory.tryU32(size.address(found.address)) ?? 0;
  return from !== undefined && from !== 0n && symbol.address >= from && symbol.address < from + BigInt(length);
}
