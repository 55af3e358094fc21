/** Definitions of structures as data and as crash prints them, with SIZE. */
import { declare, printDefinition } from "../../debug-info/c-format-type.ts";
import { type StructType, sizeOf, strip } from "../../debug-info/c-type.ts";
import type { MemberPlace } from "./member-path.ts";
import type { StructName } from "./struct-name.ts";

/** A member of a structure's definition. */
export interface MemberDefinition {
  /** Absent for anonymous members. For members that were asked for: their path. */
  readonly name?: string;
  /** C's spelling of the type. */
  readonly type: string;
  /** Bytes from the start of the outer structure; with `through`, of the one that the last pointer leads to. */
  readonly offset: number;
  /** Pointers on the way, by their offsets. */
  readonly through?: readonly number[];
  /** First bit and width of a bitfield. */
  readonly bitOffset?: number;
  readonly bitSize?: number;
  readonly size: number;
  /** Of an anonymous structure or union. */
  readonly members?: readonly MemberDefinition[];
}

/** A structure as `struct` shows it. Sizes and offsets are in bytes. */
export interface StructDefinition {
  readonly kind: "struct" | "union";
  /** Name it was found by. */
  readonly name: string;
  readonly size: number;
  readonly members: readonly MemberDefinition[];
  /** Lines of C. */
  readonly text: readonly string[];
}

export interface DefinitionShape {
  readonly offsets: boolean;
  readonly radix: 10 | 16;
  /** With offsets: show the members' addresses in the object there. */
  readonly address?: bigint;
}

/** Structures of a damaged dump may hold themselves. */
const MAX_DEPTH = 32;
const MAX_MEMBERS = 20_000;

/** The definition of a structure, or of the members that were asked for. */
export function structDefinition(struct: StructName, shape: DefinitionShape): StructDefinition {
  const { type, name } = struct;
  const whole = struct.members.length === 0;
  return {
    kind: type.kind,
    name,
    size: type.size,
    members: whole ? memberDefinitions(type, 0, 0, { left: MAX_MEMBERS }) : struct.members.map(placeDefinition),
    text: whole ? wholeText(struct, shape) : memberText(struct, shape),
  };
}

/** `SIZE: 16`, or in hexadecimal `SIZE: 0x10`. */
export function sizeLine(size: number, radix: 10 | 16): string {
  return `SIZE: ${radix === 16 ? "0x" : ""}${size.toString(radix)}`;
}

function wholeText({ type, name, isTypedef }: StructName, { offsets, radix, address }: DefinitionShape): string[] {
  const lines = [...printDefinition(type, { offsets, radix, ...(address === undefined ? {} : { address }) })];
  if (isTypedef) {
    lines[0] = `typedef ${lines[0]}`;
    lines[lines.length - 1] = `${lines.at(-1)} ${name};`;
  }
  return [...lines, sizeLine(type.size, radix)];
}

/** crash shows members that are named without an object with their offsets in any case. */
function memberText({ type, name, members }: StructName, { radix, address }: DefinitionShape): string[] {
  const bracket = (offset: number): string =>
    address === undefined
      ? `[${radix === 16 ? "0x" : ""}${offset.toString(radix)}]`
      : `[${BigInt.asUintN(64, address + BigInt(offset))
          .toString(16)
          .padStart(16, "0")}]`;
  const plain = (offset: number) => `[${radix === 16 ? "0x" : ""}${offset.toString(radix)}]`;
  const width = address === undefined ? bracket(type.size).length + 2 : 20;
  return [
    `${type.kind} ${name} {`,
    ...members.map(({ path, type: inner, through, offset, bits }) => {
      // A slice's length stands in its type.
      const declared = declare(inner, path.replace(/\[[^\]]*\.\.[^\]]*\]$/, ""));
      // Behind a pointer an offset counts from where it leads.
      const place =
        through.length === 0 ? bracket(offset) : [bracket(through[0] as number), ...[...through.slice(1), offset].map(plain)].join(" -> ");
      return `${place.padStart(width)} ${declared}${bits === undefined ? "" : ` : ${bits.size}`};`;
    }),
    "}",
  ];
}

function placeDefinition({ path, type, through, offset, bits }: MemberPlace): MemberDefinition {
  const field = bits === undefined ? {} : { bitOffset: bits.shift, bitSize: bits.size };
  const way = through.length === 0 ? {} : { through };
  return { name: path, type: declare(type), ...way, offset, ...field, size: sizeOf(type) };
}

function memberDefinitions(type: StructType, base: number, depth: number, budget: { left: number }): MemberDefinition[] {
  return type.members.slice(0, Math.max(0, budget.left)).map((member) => {
    budget.left--;
    const bit = base * 8 + member.bitOffset;
    const offset = Math.floor(bit / 8);
    const inner = strip(member.type);
    const nested = member.name === undefined && (inner.kind === "struct" || inner.kind === "union") && depth < MAX_DEPTH;
    return {
      ...(member.name === undefined ? {} : { name: member.name }),
      type: declare(member.type),
      offset,
      ...(member.bitSize === undefined ? {} : { bitOffset: bit % 8, bitSize: member.bitSize }),
      size: sizeOf(member.type),
      ...(nested ? { members: memberDefinitions(inner, offset, depth + 1, budget) } : {}),
    };
  });
}
