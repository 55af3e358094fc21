/**
 * A C value as data: what `struct`, `p`, `list -s` and everything else that shows typed memory answer with. print-value.ts lays the
 * same nodes out as gdb does; JSON prints them as they are.
 *
 *   struct list_head { next = 0xffff888003a4c890, prev = 0xffffffff8261b2d0 <init_task+2192> }
 *   { kind: "struct", type: "struct list_head", members: [
 *       { name: "next", offset: 0, value: { kind: "pointer", type: "struct list_head *", value: "0xffff888003a4c890" } },
 *       { name: "prev", offset: 8, value: { kind: "pointer", …, value: "0xffffffff8261b2d0", symbol: { name: "init_task", offset: 2192 } } } ] }
 *
 * Integers are numbers while a double holds them exactly; beyond that they are the bits as a hex string ("0xffffffffffffffff").
 */
import type { FaultReason } from "../../bytes/errors.ts";

/** A value that was read, as a tree. */
export type ValueNode =
  | StructNode
  | ArrayNode
  | TextNode
  | IntegerNode
  | BooleanNode
  | FloatNode
  | EnumNode
  | PointerNode
  | FunctionNode
  | FormattedNode
  | VoidNode
  | UnreadableNode
  | ElidedNode;

interface Typed {
  /** C's spelling of the type: "struct list_head *". */
  readonly type: string;
}

/** A structure or union with its members. */
export interface StructNode extends Typed {
  readonly kind: "struct" | "union";
  readonly members: readonly MemberNode[];
}

/** A member of a structure or union; offset in bytes. */
export interface MemberNode {
  /** Absent for members of anonymous structure or union type. */
  readonly name?: string;
  /** Bytes from the start of the structure that holds it. */
  readonly offset: number;
  readonly value: ValueNode;
}

/** Elements of an array, repeats of the same told once. */
export interface ArrayNode extends Typed {
  readonly kind: "array";
  /** Elements of the type; `elements` holds the first of them, up to `set print_max`. */
  readonly length: number;
  readonly elements: readonly ValueNode[];
}

/** An array of bytes, shown as a string. */
export interface TextNode extends Typed {
  readonly kind: "text";
  readonly length: number;
  /** UTF-8 up to the first NUL. */
  readonly text: string;
  /** The bytes as they are, one character (0 … 255) each, the last NUL left out; at most `set print_max` of them. */
  readonly raw: string;
  /** There are more bytes than `raw` holds. */
  readonly truncated?: true;
}

/** An integer. */
export interface IntegerNode extends Typed {
  readonly kind: "integer";
  /** A number, or the unsigned bits when a double cannot hold it. */
  readonly value: number | bigint;
  /** Bytes of the type. */
  readonly size: number;
  readonly signed: boolean;
  /** Width of a bitfield. */
  readonly bits?: number;
}

/** A C bool. */
export interface BooleanNode extends Typed {
  readonly kind: "boolean";
  readonly value: boolean;
}

/** A floating-point number. */
export interface FloatNode extends Typed {
  readonly kind: "float";
  readonly value: number;
  /** Bytes of the type. */
  readonly size: number;
}

/** A scalar in a format that was asked for (p/x). */
export interface FormattedNode extends Typed {
  readonly kind: "formatted";
  readonly value: number | bigint;
  readonly text: string;
}

/** What has no value: a convenience variable that was never set. */
export interface VoidNode extends Typed {
  readonly kind: "void";
}

/** A value of an enum, with its name where it has one. */
export interface EnumNode extends Typed {
  readonly kind: "enum";
  readonly value: number | bigint;
  /** The constant's name, or the names of the flags that are set; empty when no constant fits. */
  readonly names: readonly string[];
  /** The constants are single bits: several may be set. */
  readonly flags?: true;
  /** Bits of a flags value that have no name. */
  readonly unknown?: number | bigint;
}

/** A pointer, with the symbol or the text it leads to. */
export interface PointerNode extends Typed {
  /** "array" is an array without length (a flexible member), shown by its address. */
  readonly kind: "pointer" | "flexible";
  readonly value: bigint;
  /** The symbol it points into. */
  readonly symbol?: SymbolLabel;
  /** What a char pointer points to. */
  readonly text?: string;
  /** Like TextNode.raw. */
  readonly raw?: string;
  readonly truncated?: true;
  /** Why the text of a char pointer cannot be shown. */
  readonly unreadable?: string;
}

/** A function: where it is. */
export interface FunctionNode extends Typed {
  readonly kind: "function";
  readonly value: bigint;
  readonly symbol?: SymbolLabel;
}

/** Memory that cannot be read, and why. */
export interface UnreadableNode extends Typed {
  readonly kind: "unreadable";
  readonly address: bigint;
  readonly reason: FaultReason | "unsupported";
  readonly message: string;
}

/** A structure nested deeper than is shown. */
export interface ElidedNode extends Typed {
  readonly kind: "elided";
}

/** "init_task+2192". */
export interface SymbolLabel {
  readonly name: string;
  readonly offset: number;
  readonly module?: string;
}
