/** The structures that `list -s` and `tree -s` show at each node, and with -S as plain values. */
import type { VirtualAddress } from "../../bytes/address.ts";
import { printRaw } from "./print-value.ts";
import type { ValueReader } from "./read-value.ts";
import type { StructName } from "./struct-name.ts";
import { type ObjectValue, objectLines, readObject } from "./struct-object.ts";

export interface NodeStructure extends ObjectValue {
  readonly kind: "struct" | "union";
  readonly name: string;
}

/** Reads each structure at the address. */
export function readStructures(reader: ValueReader, structs: readonly StructName[], address: VirtualAddress): readonly NodeStructure[] {
  return structs.map((struct) => ({ kind: struct.type.kind, name: struct.name, ...readObject(reader, struct, address) }));
}

/** @param raw values without the trimmings of gdb */
export function nodeStructureLines(structure: NodeStructure, raw: boolean, radix: 10 | 16): string[] {
  const { kind, name, members } = structure;
  if (raw && members !== undefined) return members.flatMap((member) => printRaw(member.path, member.value, radix));
  const struct: StructName = { type: { kind, name, size: 0, members: [] }, name, isTypedef: false, members: [] };
  return objectLines(struct, structure, radix);
}
