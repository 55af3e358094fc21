/** `whatis`: what a name means (type, symbol, constant, expression), what an address is, and which structures have a size or a member. */
import { hex16, virtual } from "../bytes/address.ts";
import { LookupError, UsageError } from "../bytes/errors.ts";
import { declare } from "../debug-info/c-format-type.ts";
import { type CType, type EnumType, type FunctionType, sizeOf, strip } from "../debug-info/c-type.ts";
import { regionText, roleText } from "../identity/describe.ts";
import { identifyAddress } from "../identity/identify.ts";
import { isPerCpu, isText, symbolType } from "../kernel/expression/scope.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { AddressIdentity } from "../linux/address-identity.ts";
import { whatisApi } from "./api/values.ts";
import { literal } from "./api-code.ts";
import type { ParsedArguments } from "./arguments.ts";
import { type Command, defineCommand, type Session } from "./command.ts";
import { evaluateIn } from "./support/session-scope.ts";
import { type StructDefinition, sizeLine, structDefinition } from "./support/struct-definition.ts";
import { resolveStruct } from "./support/struct-name.ts";
import { type FoundStructure, parseSizeRange, searchStructures } from "./support/type-search.ts";

export type WhatisResult =
  | { readonly kind: "address"; readonly identity: AddressIdentity }
  | { readonly kind: "struct" | "union"; readonly definition: StructDefinition }
  | {
      readonly kind: "enum";
      readonly name: string;
      readonly size: number;
      readonly constants: readonly { readonly name: string; readonly value: number | bigint }[];
    }
  | { readonly kind: "typedef"; readonly name: string; readonly declaration: string; readonly type: string; readonly size: number }
  | {
      readonly kind: "function";
      readonly name: string;
      readonly declaration: string;
      readonly returns: string;
      readonly parameters: readonly { readonly name?: string; readonly type: string }[];
      readonly variadic: boolean;
    }
  | {
      readonly kind: "variable";
      readonly name: string;
      readonly declaration: string;
      readonly type: string;
      readonly size: number;
      readonly perCpu: boolean;
    }
  | { readonly kind: "constant"; readonly name: string; readonly enum: string; readonly value: number | bigint }
  | { readonly kind: "type" | "expression"; readonly type: string; readonly size: number }
  | { readonly kind: "search"; readonly structures: readonly FoundStructure[] };

const SYNOPSIS = "[-o] struct | union | enum | typedef | symbol | expression";

export const whatis: Command<WhatisResult> = defineCommand<WhatisResult>({
  spec: {
    name: "whatis",
    summary: "definition of a type or symbol; what an address is; search of structures by size or member",
    synopsis: [SYNOPSIS, "[-r size | low-high] [-m member]"],
    description: [
      "Shows the definition of a structure, union, enum or typedef with its size, the prototype of a function, the declaration of a variable, the enum and value of a constant, or the type of an expression.",
      "An address (hexadecimal, of nine digits or more or with 0x) is told in words: symbol, stack, task, slab object and its state, per-CPU variable, module, vmalloc area and who asked for it, struct page, what its page is used for, mapping of the context task, poison, error pointer.",
      "With -r and -m it searches all structures of the kernel and of the modules that carry types: those of a size or range of sizes, and those with a member whose type contains the text (a pointer or an array of it counts, and so does a member of an embedded structure).",
    ],
    options: [
      { flag: "-o", help: "with the members' offsets" },
      { flag: "-r", argument: "size", help: "structures of this size, or of a range: 256-512" },
      { flag: "-m", argument: "member", help: "structures with a member of this type" },
    ],
    operands: ["type", "symbol"],
    examples: [
      ["whatis ksys_read", "a prototype"],
      ["whatis enum pid_type", "an enum"],
      ["whatis init_task.mm", "the type of an expression"],
      ["whatis ffff888003a4c010", "what an address is"],
      ["whatis -m mm_struct", "who points to an mm_struct"],
      ["whatis -r 256-512 -m task_struct", "by size and member"],
    ],
    differences: [
      "Typedefs of function pointers are shown as C writes them.",
      "Base types are shown with their name, not only their size.",
    ],
  },
  run(session, args) {
    const { kernel } = session;
    if (args.has("-r") || args.has("-m")) return search(session, args.value("-r"), args.value("-m"), args.operands);
    const text = expressionText(args);
    const address = addressText(text);
    if (address !== undefined && !args.has("-o"))
      return { kind: "address", identity: identifyAddress(kernel, address, { task: session.context }) };
    if (text === "") throw new UsageError(`usage: whatis ${SYNOPSIS}`);
    return meaning(session, kernel, text, args.has("-o"));
  },
  api(session, args) {
    if (args.has("-r") || args.has("-m")) return undefined;
    const address = addressText(expressionText(args));
    if (address === undefined) return whatisApi(expressionText(args), whatis.run(session, args), args.has("-o"));
    // A user address is looked up in the context task, which a script has not.
    return args.has("-o") || !session.kernel.arch.isKernelAddress(virtual(address))
      ? undefined
      : `return { kind: "address", identity: kernel.identify(${literal(address)}) };`;
  },
  text: (result, { radix }) => whatisLines(result, radix),
});

/** An address as people write one: short numbers are C's, and have a type. */
function addressText(text: string): bigint | undefined {
  const [, digits] = /^(?:0x)?([0-9a-f]{9,16})$/i.exec(text) ?? /^0x([0-9a-f]{1,8})$/i.exec(text) ?? [];
  return digits === undefined ? undefined : BigInt(`0x${digits}`);
}

/** The words without their quotes, except that a file in quotes stays: whatis 'kernel/panic.c'::tainted_mask. */
function expressionText({ operands, line }: ParsedArguments): string {
  return /'[^']*'\s*::/.test(line) ? line.replace(/^\s*(-o\s+)*/, "").trim() : operands.join(" ");
}

function search(
  { kernel, progress }: Session,
  size: string | undefined,
  member: string | undefined,
  operands: readonly string[],
): WhatisResult {
  // `-m struct list_head` without quotes: the words belong together.
  const wanted = member === undefined ? undefined : [member, ...operands].join(" ");
  if (member === undefined && operands.length > 0) throw new UsageError(`"${operands.join(" ")}": -r takes one size or range`);
  if (kernel.types.lack !== undefined) throw kernel.types.lack;
  const structures = searchStructures(kernel, size === undefined ? undefined : parseSizeRange(size), wanted, progress);
  if (structures.length === 0) throw new LookupError("no structure of the kernel and its modules is like that");
  return { kind: "search", structures };
}

function meaning(session: Session, kernel: Kernel, text: string, offsets: boolean): WhatisResult {
  const tagged = /^(struct|union|enum)\s+(\w+)$/.exec(text);
  const name = tagged?.[2] ?? text;
  if (tagged?.[1] === "enum") {
    const type = kernel.types.find("enum", name);
    if (type?.kind !== "enum")
      throw kernel.types.lack ?? new LookupError(`no enum named "${name}" in this dump`, kernel.types.nearest(["enum"], name));
    return enumResult(name, type);
  }
  const shape = { offsets, radix: session.settings.radix };
  if (tagged !== null) return definitionOf(kernel, name, tagged[1] as "struct" | "union", shape);
  if (/^\w+$/.test(text)) {
    // A variable comes before a structure of its name (kmem_cache), where its type is known.
    const found = typedVariable(kernel, text) ?? namedType(kernel, text, shape) ?? namedSymbol(kernel, text);
    if (found !== undefined) return found;
    // It may be a type that would be known.
    if (kernel.types.lack !== undefined) throw kernel.types.lack;
  }
  return spelledType(kernel, text) ?? expressionType(session, text);
}

function definitionOf(
  kernel: Kernel,
  name: string,
  keyword: "struct" | "union" | undefined,
  shape: { readonly offsets: boolean; readonly radix: 10 | 16 },
): WhatisResult {
  const struct = resolveStruct(kernel, name, keyword);
  return { kind: struct.type.kind, definition: structDefinition(struct, shape) };
}

function namedType(kernel: Kernel, name: string, shape: { readonly offsets: boolean; readonly radix: 10 | 16 }): WhatisResult | undefined {
  const { types } = kernel;
  for (const key of ["struct", "union"] as const) if (types.find(key, name) !== undefined) return definitionOf(kernel, name, key, shape);
  const alias = types.find("typedef", name);
  if (alias !== undefined) {
    const plain = strip(alias);
    if (plain.kind === "struct" || plain.kind === "union") return definitionOf(kernel, name, undefined, shape);
    // Through further typedefs, as gdb resolves them: typedef int pid_t.
    const target = alias.kind !== "typedef" ? alias : plain.kind === "int" ? plain : alias.target;
    return { kind: "typedef", name, declaration: `typedef ${declare(target, name)};`, type: declare(target), size: sizeOf(target) };
  }
  const found = types.find("enum", name);
  return found?.kind === "enum" ? enumResult(name, found) : undefined;
}

function enumResult(name: string, type: EnumType): WhatisResult {
  return {
    kind: "enum",
    name,
    size: type.size,
    constants: type.enumerators.map((each) => ({ name: each.name, value: small(each.value) })),
  };
}

function typedVariable(kernel: Kernel, name: string): WhatisResult | undefined {
  const symbol = kernel.symbols.byName(name);
  if (symbol === undefined || isText(kernel, symbol) || symbolType(kernel, symbol) === undefined) return undefined;
  return namedSymbol(kernel, name);
}

function namedSymbol(kernel: Kernel, name: string): WhatisResult | undefined {
  const symbol = kernel.symbols.byName(name);
  if (symbol === undefined) {
    const constant = kernel.types.enumerator(name);
    if (constant === undefined) return undefined;
    return { kind: "constant", name, enum: constant.type.name ?? "(unknown)", value: small(constant.value) };
  }
  const type = symbolType(kernel, symbol);
  if (type === undefined) {
    const what = isText(kernel, symbol) ? "the prototype of the function" : "the type of the variable";
    throw new LookupError(`${what} ${name} is not known without a vmlinux`);
  }
  const plain = strip(type);
  if (plain.kind === "function") return functionResult(name, plain);
  return {
    kind: "variable",
    name,
    declaration: `${declare(type, name)};`,
    type: declare(type),
    size: sizeOf(type),
    perCpu: isPerCpu(kernel, symbol),
  };
}

function functionResult(name: string, type: FunctionType): WhatisResult {
  const parameters = type.parameters.map((each) => ({ ...(each.name === undefined ? {} : { name: each.name }), type: declare(each.type) }));
  return {
    kind: "function",
    name,
    declaration: `${declare(type, name)};`,
    returns: declare(type.returns),
    parameters,
    variadic: type.variadic,
  };
}

/** "unsigned long", "struct task_struct *": a type by its spelling. */
function spelledType(kernel: Kernel, text: string): WhatisResult | undefined {
  if (
    !/^(const |volatile )*(struct|union|enum|unsigned|signed|long|short|int|char|void|_Bool|bool)\b/.test(text) &&
    !/^\w+[\s*]+$/.test(text)
  )
    return undefined;
  const type: CType = kernel.types.type(text);
  return { kind: "type", type: declare(type), size: sizeOf(type) };
}

function expressionType(session: Session, text: string): WhatisResult {
  const { type } = evaluateIn(session, text);
  return { kind: "expression", type: declare(type), size: sizeOf(type) };
}

function small(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : BigInt.asUintN(64, value);
}

/** One screen at the most: what it is first, then what else, where, and the command that shows more. */
function* addressLines(identity: AddressIdentity): Iterable<string> {
  const { address, roles, physical, unreadable, region } = identity;
  const [first, ...others] = roles;
  const place = regionText(identity);
  yield `${hex16(address)} is ${first === undefined ? place : roleText(first)}`;
  for (const role of others) yield `  also: ${roleText(role)}`;
  const own = region === "null" || region === "error pointer" || region === "poison" || region === "non-canonical";
  if (!own && first !== undefined) yield `  region: ${place}${physical === undefined ? "" : `, physical ${physical.toString(16)}`}`;
  if (unreadable !== undefined) yield `  memory there cannot be read: ${unreadable}`;
  if (!own && roles.length > 0) yield `  more: kmem ${hex16(address)}`;
}

function* whatisLines(result: WhatisResult, radix: 10 | 16): Iterable<string> {
  switch (result.kind) {
    case "address":
      yield* addressLines(result.identity);
      return;
    case "struct":
    case "union":
      yield* result.definition.text;
      return;
    case "enum":
      yield `enum ${result.name} {`;
      for (const { name, value } of result.constants) yield `  ${name} = ${value}`;
      yield "};";
      return;
    case "typedef":
      yield result.declaration;
      yield sizeLine(result.size, radix);
      return;
    case "function":
    case "variable":
      yield result.declaration;
      return;
    case "constant":
      yield `enum ${result.enum} = ${radix === 16 ? `0x${result.value.toString(16)}` : result.value}`;
      return;
    case "type":
      yield result.type;
      yield sizeLine(result.size, radix);
      return;
    case "expression":
      yield result.type;
      return;
    case "search": {
      const width = Math.max(4, ...result.structures.map(({ size }) => size.toString().length));
      yield `${"SIZE".padStart(width)}  TYPE`;
      for (const { size, name } of result.structures) yield `${size.toString().padStart(width)}  ${name}`;
    }
  }
}
