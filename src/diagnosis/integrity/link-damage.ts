/**
 * A broken link as damage: the word by its place in an object, or in the list's head, what it should be, and what leads back to it.
 *
 *   node ──next──► ???            type.member.next of the object around the node
 *        ◄─prev── neighbour       the witness, and what is expected
 */
import { add, hex16, type VirtualAddress, virtual } from "../../bytes/address.ts";
import type { Field } from "../../kernel/field.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { BrokenPointer } from "./chain.ts";
import { type Damage, pointerClass } from "./damage.ts";
import type { BrokenLink } from "./ring.ts";
import type { Head } from "./survey-facts.ts";

/** Of a word in a chain or a tree. */
export function pointerDamage(kernel: Kernel, structure: string, head: Head, type: string, link: Field, broken: BrokenPointer): Damage {
  const { node, address, found, expected, witness, member } = broken;
  const place =
    node !== undefined
      ? { type, member: `${link.path}.${member}`, object: virtual(add(node, -link.offset)) }
      : "symbol" in head
        ? { member: head.symbol, object: head.address }
        : { type: head.type, member: head.member, object: head.object };
  const what = `${hex16(expected ?? 0n)} leads back to it`;
  return linked(kernel, { structure, ...place, address, found }, expected, witness, what);
}

/** Of a word in a ring. */
export function linkDamage(
  kernel: Kernel,
  structure: string,
  head: Head,
  headAddress: VirtualAddress,
  type: string,
  link: Field,
  broken: BrokenLink,
): Damage {
  const { node, link: which, found, expected, witness } = broken;
  const address = which === "next" ? node : add(node, 8);
  const place =
    node !== headAddress
      ? { type, member: `${link.path}.${which}`, object: virtual(add(node, -link.offset)) }
      : "symbol" in head
        ? { member: `${head.symbol}.${which}`, object: node }
        : { type: head.type, member: `${head.member}.${which}`, object: head.object };
  const what = `the list leads back to it: the ${which === "next" ? "prev" : "next"} of its neighbour ${hex16(expected ?? 0n)}`;
  return linked(kernel, { structure, ...place, address, found }, expected, witness, what);
}

/** Damage of a word that links, with what leads back to it as the witness. */
function linked(
  kernel: Kernel,
  known: Pick<Damage, "structure" | "type" | "member" | "object" | "address" | "found">,
  expected: bigint | undefined,
  witness: VirtualAddress | undefined,
  what: string,
): Damage {
  const value = witness === undefined ? undefined : kernel.memory.tryU64(witness);
  return {
    ...known,
    size: 8,
    ...(expected === undefined ? { unproved: true as const } : { expected }),
    ...(witness === undefined ? {} : { witness: { what, address: witness, ...(value === undefined ? {} : { value }) } }),
    ...pointerClass(kernel, known.address, known.found, expected, true),
  };
}
