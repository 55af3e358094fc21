/**
 * Lays value nodes out as gdb prints them with `set print pretty on`, which is what crash shows: two blanks a level, `name = value,`,
 * one-byte arrays as strings with octal escapes, symbols in angle brackets with a decimal offset.
 *
 *   struct pair {              member of an array of structures: one level deeper
 *     a = 1,                     queue = {{
 *     b = "x\000"                    next = 0x0
 *   }                              }, { …
 *
 * crash sets gdb's repeat threshold to "never": runs of equal elements are not folded.
 */
import type { Layout } from "../command.ts";
import { escapeByte, quoteString } from "./escape-byte.ts";
import { floatText } from "./value-format.ts";
import type { EnumNode, IntegerNode, PointerNode, StructNode, SymbolLabel, ValueNode } from "./value-node.ts";

type Radix = Layout["radix"];

/**
 * Text of a value; it may span lines.
 * @param level nesting of the place it stands in: the members of a structure are indented by 2 × (level + 1)
 */
export function printValue(node: ValueNode, radix: Radix, level = 0): string {
  switch (node.kind) {
    case "struct":
    case "union":
      return printStruct(node, radix, level);
    case "array": {
      const elements = node.elements.map((element) => printValue(element, radix, level + 1));
      return `{${elements.join(", ")}${node.length > elements.length ? "..." : ""}}`;
    }
    case "text":
      return `${quoteString(node.raw)}${node.truncated === true ? "..." : ""}`;
    case "integer":
      return printInteger(node, radix);
    case "boolean":
      return radix === 16 ? (node.value ? "0x1" : "0x0") : String(node.value);
    case "float":
      return floatText(node.value, node.size);
    case "formatted":
      return node.text;
    case "void":
      return "void";
    case "enum":
      return printEnum(node);
    case "pointer":
    case "flexible":
      return printPointer(node);
    case "function":
      return `{${node.type}} 0x${node.value.toString(16)}${bracket(node.symbol)}`;
    case "unreadable":
      return node.message === "optimized out" ? "<optimized out>" : `<unreadable: ${node.message}>`;
    case "elided":
      return "{...}";
  }
}

/** A value as `p` shows it: pointers say their type first (a `char *` is known by its string). */
export function printTopLevel(node: ValueNode, radix: Radix): string {
  const text = printValue(node, radix);
  if (node.kind !== "pointer" || /^(const |volatile )*char \*$/.test(node.type)) return text;
  return `(${node.type}) ${text}`;
}

/** `name = value,` lines of one member as they stand in a structure; an anonymous member has no name. */
export function printMember(name: string, node: ValueNode, radix: Radix): string[] {
  return `  ${name === "" ? "" : `${name} = `}${printValue(node, radix, 1)},`.split("\n");
}

/**
 * One member as `list -S` shows it: numbers without characters, strings up to their NUL, enums as numbers, nothing behind them; what
 * is no plain value is shown as -s does.
 */
export function printRaw(name: string, node: ValueNode, radix: Radix): string[] {
  const plain = rawText(node, radix);
  return plain === undefined ? printMember(name, node, radix) : [`  ${name} = ${plain}`];
}

function rawText(node: ValueNode, radix: Radix): string | undefined {
  switch (node.kind) {
    case "integer":
      return radix === 16 ? printInteger(node, 16) : String(signedValue(node));
    case "boolean":
      return node.value ? "1" : "0";
    case "enum":
      return radix === 16 ? `0x${node.value.toString(16)}` : String(node.value);
    case "pointer": {
      // crash names functions here and no data.
      const address = `0x${node.value.toString(16)}${node.type.includes("(*") ? bracket(node.symbol) : ""}`;
      return node.raw === undefined ? address : `${address} ${quoteString(node.raw)}`;
    }
    case "text": {
      const end = node.raw.indexOf("\0");
      return quoteString(end < 0 ? node.raw : node.raw.slice(0, end));
    }
    default:
      return undefined;
  }
}

function signedValue({ value, size, signed }: Pick<IntegerNode, "value" | "size" | "signed">): number | bigint {
  return typeof value === "bigint" && signed ? BigInt.asIntN(size * 8, value) : value;
}

function printStruct(node: StructNode, radix: Radix, level: number): string {
  if (node.members.length === 0) return "{<No data fields>}";
  const indent = "  ".repeat(level + 1);
  const lines = node.members.map((member) => {
    const value = printValue(member.value, radix, level + 1);
    return `${indent}${member.name === undefined ? "" : `${member.name} = `}${value}`;
  });
  return `{\n${lines.join(",\n")}\n${"  ".repeat(level)}}`;
}

/** An integer by the radix; hexadecimal shows the bits of the whole type, decimal adds the character of a one-byte integer. */
export function printInteger(node: Pick<IntegerNode, "value" | "size" | "signed">, radix: Radix): string {
  if (radix === 16) return `0x${BigInt.asUintN(node.size * 8, BigInt(node.value)).toString(16)}`;
  const value = signedValue(node);
  return node.size === 1 ? `${value} '${escapeByte(Number(value) & 0xff, "'")}'` : String(value);
}

function printEnum(node: EnumNode): string {
  const [first, ...more] = node.names;
  if (node.flags !== true) return first ?? String(node.value);
  const unknown = node.unknown === undefined ? [] : [`unknown: 0x${node.unknown.toString(16)}`];
  if (first === undefined && unknown.length === 0) return "0";
  return `(${[...(first === undefined ? [] : [first]), ...more, ...unknown].join(" | ")})`;
}

function printPointer(node: PointerNode): string {
  const address = `0x${node.value.toString(16)}${bracket(node.symbol)}`;
  if (node.unreadable !== undefined) return `${address} <unreadable: ${node.unreadable}>`;
  return node.raw === undefined ? address : `${address} ${quoteString(node.raw)}${node.truncated === true ? "..." : ""}`;
}

function bracket(symbol: SymbolLabel | undefined): string {
  return symbol === undefined ? "" : ` <${symbol.name}${symbol.offset === 0 ? "" : `+${symbol.offset}`}>`;
}
