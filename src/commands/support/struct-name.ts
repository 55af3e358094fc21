/**
 * The first operand of `struct`, and the argument of `list -s`: a structure with or without members.
 *
 *   task_struct            task_struct.comm,pid,se.on_rq            atomic_t (a typedef of a structure)
 */
import { LookupError, UsageError } from "../../bytes/errors.ts";
import { type StructType, strip } from "../../debug-info/c-type.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { type MemberPlace, resolveMember } from "./member-path.ts";

export interface StructName {
  readonly type: StructType;
  /** The name it was found by: the tag, or the typedef's name. */
  readonly name: string;
  /** Found as a typedef; its definition is then printed as one. */
  readonly isTypedef: boolean;
  /** Empty: the whole structure. */
  readonly members: readonly MemberPlace[];
}

/**
 * Resolves "name" or "name.member,member". Throws LookupError when there is no such structure or member.
 * @param keyword only this kind is meant; undefined takes either
 */
export function resolveStruct(kernel: Kernel, text: string, keyword?: "struct" | "union"): StructName {
  const dot = text.indexOf(".");
  const name = dot < 0 ? text : text.slice(0, dot);
  const found = findStruct(kernel, name, keyword);
  if (dot < 0) return { ...found, members: [] };
  const paths = text.slice(dot + 1).split(",");
  if (paths.some((path) => path === "")) throw new UsageError(`"${text}": a member is missing; members are written ${name}.member,member`);
  return { ...found, members: paths.map((path) => resolveMember(found.type, path)) };
}

function findStruct(kernel: Kernel, name: string, keyword: "struct" | "union" | undefined): Omit<StructName, "members"> {
  const { types } = kernel;
  const keys = keyword === undefined ? (["struct", "union"] as const) : ([keyword] as const);
  for (const key of keys) {
    const type = types.find(key, name);
    if (type !== undefined && (type.kind === "struct" || type.kind === "union")) return { type, name, isTypedef: false };
  }
  const alias = types.find("typedef", name);
  const plain = alias === undefined ? undefined : strip(alias);
  if (plain !== undefined && (plain.kind === "struct" || plain.kind === "union")) return { type: plain, name, isTypedef: true };
  throw noSuchStruct(kernel, name, keyword ?? "struct");
}

function noSuchStruct(kernel: Kernel, name: string, keyword: "struct" | "union"): LookupError {
  const { types } = kernel;
  const other = keyword === "struct" ? "union" : "struct";
  if (types.find(other, name) !== undefined) return new LookupError(`${name} is a ${other}: ${other} ${name}`);
  if (types.find("enum", name) !== undefined) return new LookupError(`${name} is an enum, no ${keyword}: whatis ${name}`);
  if (types.find("typedef", name) !== undefined)
    return new LookupError(`${name} is a typedef of something else than a structure: whatis ${name}`);
  if (types.lack !== undefined) return types.lack;
  const nearest = types.nearest(["struct", "union", "typedef"], name);
  return new LookupError(`no ${keyword} named "${name}" in this dump; a module that defines it may carry no BTF`, nearest);
}

/** An offset as -l and -o take it: bytes, or structure.member. */
export function parseOffset(kernel: Kernel, text: string): number {
  const member = parseMemberOffset(kernel, text);
  if (member !== undefined) return member;
  const number = /^(0x[0-9a-f]+|\d+)$/i.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(number)) throw new UsageError(`"${text}" is no offset: give bytes or structure.member`);
  return number;
}

/** Offset of "structure.member"; undefined when the text is written otherwise. */
export function parseMemberOffset(kernel: Kernel, text: string): number | undefined {
  if (!/^[A-Za-z_]\w*\./.test(text)) return undefined;
  const [member] = resolveStruct(kernel, text).members;
  if (member !== undefined && member.through.length > 0) throw new UsageError(`"${text}" leads through a pointer: it is no offset`);
  return member?.offset;
}
