/** Where an address lies in an object, with the object's structure and the member where a type is known. */
import { distance, type VirtualAddress, virtual } from "../../bytes/address.ts";
import type { CType } from "../../debug-info/c-type.ts";
import { stateText } from "../../identity/describe.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { membersAt, pathsOf } from "../../type-flow/member-path.ts";
import { objectType } from "./object-type.ts";
import { slabRole } from "./samples.ts";
import { tryIdentify } from "./try-identify.ts";

export interface Placed {
  readonly object: VirtualAddress;
  readonly cache: string;
  readonly state: string;
  /** "struct lab_widget", by the cache's name. */
  readonly type?: string;
  readonly member?: string;
}

/** undefined when the address is in no slab object. @param fits as for objectType() */
export function placeOf(kernel: Kernel, address: bigint, fits?: (type: CType, offset: number) => boolean): Placed | undefined {
  const role = slabRole(tryIdentify(kernel, address));
  if (role === undefined) return undefined;
  const plain = { object: role.object, cache: role.cache, state: stateText(role.state) };
  const typed = objectType(kernel, address, fits);
  if (typed === undefined) return plain;
  const members = membersAt({ kind: "pointer", target: typed.type, offset: distance(virtual(address), role.object), stride: 0 }, 0);
  return { ...plain, type: typed.name, ...(members.length === 0 ? {} : { member: pathsOf(members) }) };
}
