/**
 * One structure in memory, whole or by chosen members, as data and as crash prints it (`struct`, `list -s`, `task -R`).
 *
 *   struct list_head {              pid = 1,                     struct mm_struct *mm = 0xff26c5f701051200     -p
 *     next = 0xff26…,               comm = "init\000…",          -> {
 *     prev = 0xffff… <modules>                                        mm_users = { …
 *   }                                                               }
 */
import { type VirtualAddress, virtual } from "../../bytes/address.ts";
import { declare } from "../../debug-info/c-format-type.ts";
import { type Member, strip } from "../../debug-info/c-type.ts";
import { type MemberPlace, memberAddress } from "./member-path.ts";
import { printMember, printValue } from "./print-value.ts";
import { isCharacter, type ValueReader } from "./read-value.ts";
import type { StructName } from "./struct-name.ts";
import type { PointerNode, ValueNode } from "./value-node.ts";

export interface MemberValue {
  /** As it was asked for: "se.on_rq". */
  readonly path: string;
  readonly value: ValueNode;
  /** With -p, for pointers: the declaration and what it points to (absent for NULL, void and functions). */
  readonly pointer?: { readonly declaration: string; readonly target?: ValueNode };
}

export interface ObjectValue {
  readonly address: bigint;
  /** The whole structure, when no members were asked for; with -p its members follow, pointers with what they point to. */
  readonly value?: ValueNode;
  readonly members?: readonly MemberValue[];
}

/** Reads an object; what cannot be read stands as an unreadable node in its place. */
export function readObject(reader: ValueReader, struct: StructName, address: VirtualAddress, follow = false): ObjectValue {
  if (struct.members.length > 0) return { address, members: struct.members.map((place) => readMember(reader, place, address, follow)) };
  const value = reader.read(struct.type, address);
  if (!follow || (value.kind !== "struct" && value.kind !== "union")) return { address, value };
  return { address, value, members: struct.type.members.map((member) => readMember(reader, placeOf(member), address, true)) };
}

function placeOf(member: Member): MemberPlace {
  const name = member.name ?? "";
  const bits = member.bitSize === undefined ? undefined : { shift: member.bitOffset % 8, size: member.bitSize };
  return { path: name, name, type: member.type, through: [], offset: Math.floor(member.bitOffset / 8), bits };
}

function readMember(reader: ValueReader, place: MemberPlace, address: VirtualAddress, follow: boolean): MemberValue {
  const value = reader.at(place.type, () => memberAddress(reader.memory, address, place), place.bits);
  const plain = strip(place.type);
  if (!follow || plain.kind !== "pointer" || value.kind !== "pointer") return { path: place.path, value };
  const declaration = declare(place.type, place.path);
  const target = strip(plain.target);
  const opaque =
    value.value === 0n || target.kind === "void" || target.kind === "forward" || target.kind === "function" || isCharacter(target);
  if (opaque) return { path: place.path, value, pointer: { declaration } };
  return { path: place.path, value, pointer: { declaration, target: reader.read(plain.target, virtual(value.value)) } };
}

/** Lines of an object as `struct` prints it. */
export function objectLines(struct: StructName, object: ObjectValue, radix: 10 | 16): string[] {
  if (object.value !== undefined && object.members !== undefined) {
    const inner = object.members.flatMap((member) => memberLines(member, radix));
    return [`${struct.type.kind} ${struct.name} {`, ...inner, "}"];
  }
  if (object.value !== undefined) return `${struct.type.kind} ${struct.name} ${printValue(object.value, radix)}`.split("\n");
  return (object.members ?? []).flatMap((member) => memberLines(member, radix));
}

function memberLines({ path, value, pointer }: MemberValue, radix: 10 | 16): string[] {
  if (pointer === undefined || value.kind !== "pointer") return printMember(path, value, radix);
  return [`  ${pointer.declaration} = 0x${value.value.toString(16)}`, ...targetLines(value, pointer.target, radix)];
}

function targetLines(value: PointerNode, target: ValueNode | undefined, radix: 10 | 16): string[] {
  if (value.value === 0n) return ["  -> NULL"];
  const { symbol } = value;
  const name = symbol === undefined ? "" : `<${symbol.name}${symbol.offset === 0 ? "" : `+${symbol.offset}`}> `;
  if (value.unreadable !== undefined) return [`  -> (unreadable: ${value.unreadable})`];
  if (target?.kind === "unreadable") return [`  -> ${name}(unreadable: ${target.message})`];
  if (target !== undefined) {
    const [first, ...rest] = printValue(target, radix).split("\n");
    return [`  -> ${name}${first}`, ...rest.map((line) => `     ${line}`)];
  }
  if (value.raw !== undefined) {
    const text = printValue(
      { kind: "text", type: "", length: 0, text: "", raw: value.raw, ...(value.truncated === true ? { truncated: true } : {}) },
      radix,
    );
    return [`  -> ${text}`];
  }
  return [`  -> ${name === "" ? "(unknown target type)" : name.trimEnd()}`];
}
