/**
 * Members as `struct`, `list -s` and `task -R` name them: `comm`, `se.on_rq`, `pids[2].next`, through embedded and anonymous
 * structures to any depth, never through pointers.
 *
 *   task_struct . se.avg.load_avg , pid_links[1] , comm[0]
 */
import { UsageError } from "../../bytes/errors.ts";
import { type CType, findMember, type StructType, sizeOf, strip } from "../../debug-info/c-type.ts";
import { missingMember } from "../../kernel/expression/missing-member.ts";
import type { BitPlace } from "./read-value.ts";

export interface MemberPlace {
  /** As it was asked for. */
  readonly path: string;
  readonly type: CType;
  /** Bytes from the start of the outer structure. */
  readonly offset: number;
  /** A bitfield's bits within the byte at `offset`. */
  readonly bits: BitPlace | undefined;
  /** Name of the last part: what a declaration of it is called. */
  readonly name: string;
}

const MAX_PARTS = 64;

/** Finds a member by path. Throws LookupError (with near names) or UsageError. */
export function resolveMember(type: StructType, path: string): MemberPlace {
  const parts = path.split(".");
  if (parts.length > MAX_PARTS) throw new UsageError(`"${path}" has too many parts`);
  let here: CType = type;
  let offset = 0;
  let bits: BitPlace | undefined;
  let name = "";
  for (const part of parts) {
    const shape = /^([A-Za-z_$][\w$]*)((?:\[\w+\])*)$/.exec(part);
    if (shape === null) throw new UsageError(`"${path}": "${part}" is no member; members are written member.member[index]`);
    const plain = strip(here);
    if (plain.kind !== "struct" && plain.kind !== "union") throw new UsageError(notAStructure(path, name, plain));
    name = shape[1] as string;
    const found = findMember(plain, name);
    if (found === undefined) throw missingMember(plain, name);
    offset += Math.floor(found.bitOffset / 8);
    bits = found.member.bitSize === undefined ? undefined : { shift: found.bitOffset % 8, size: found.member.bitSize };
    here = found.member.type;
    for (const [, index = ""] of (shape[2] as string).matchAll(/\[(\w+)\]/g)) {
      const array = strip(here);
      if (array.kind !== "array") throw new UsageError(`"${path}": ${name} is no array`);
      const number = Number(index);
      if (!Number.isInteger(number) || number < 0) throw new UsageError(`"${path}": "${index}" is no index`);
      if (array.length > 0 && number >= array.length)
        throw new UsageError(`"${path}": ${name} has ${array.length} elements, 0 to ${array.length - 1}`);
      offset += number * sizeOf(array.element);
      here = array.element;
    }
  }
  return { path, type: here, offset, bits, name };
}

function notAStructure(path: string, name: string, plain: CType): string {
  if (plain.kind !== "pointer") return `"${path}": ${name} is no structure`;
  return `"${path}": ${name} is a pointer; follow it with p, or with -p show what it points to`;
}
