/**
 * Samples of healthy memory to hold a sign against: the same place in other objects of a slab, the other objects that a stack leads to.
 */
import { add, type VirtualAddress, virtual } from "../../bytes/address.ts";
import { InquestError } from "../../bytes/errors.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { AddressIdentity, AddressRole } from "../../linux/address-identity.ts";
import { Slabs } from "../../linux/slab.ts";
import type { BaseRate } from "../finding.ts";
import type { FaultCase } from "./fault-case.ts";
import { tryIdentify } from "./try-identify.ts";

export type SlabRole = Extract<AddressRole, { readonly kind: "slab object" }>;

/** Objects, or words of a stack, that a sample takes. */
const MAX_SAMPLE = 64;
/** Words of a stack that are looked at. */
const MAX_WORDS = 512;

export function slabRole(identity: AddressIdentity | undefined): SlabRole | undefined {
  return identity?.roles.find((role): role is SlabRole => role.kind === "slab object");
}

/** The word at one offset of the other allocated objects in the slab of an address; empty when that is no slab object. */
export function siblingWords(kernel: Kernel, address: bigint, size: number): readonly bigint[] {
  const found: bigint[] = [];
  try {
    const slabs = Slabs.of(kernel);
    const own = slabs?.objectOf(virtual(address));
    const slab = own === undefined ? undefined : slabs?.slabAt(own.page);
    // What kmalloc() gives is of any type: other objects tell nothing.
    if (own === undefined || slab === undefined || /kmalloc/.test(own.cache) || own.offset < 0 || size < 1 || size > 8) return [];
    for (let i = 0; i < slab.objects && found.length < MAX_SAMPLE; i++) {
      const object = add(slab.start, i * slab.cache.stride);
      if (i === own.index) continue;
      if (slabRole(tryIdentify(kernel, object))?.state.state !== "allocated") continue;
      const bytes = kernel.memory.tryBytes(add(object, own.offset), size);
      if (bytes !== undefined) found.push(bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n));
    }
  } catch (error) {
    if (!(error instanceof InquestError)) throw error;
  }
  return found;
}

/** How often a sign is met at the same place of a source's siblings. */
export function siblingRate(
  kernel: Kernel,
  address: bigint | undefined,
  size: number,
  what: string,
  sign: (word: bigint) => boolean,
): BaseRate {
  const words = address === undefined ? [] : siblingWords(kernel, address, size);
  return { what, tried: words.length, fired: words.filter(sign).length };
}

/** Of the slab objects that words on the stack of the fault lead to, how many are free; those of `except` not counted. */
export function freeOnStack({ kernel, activations, state }: FaultCase, except: VirtualAddress | undefined): BaseRate {
  const seen = new Set<bigint>(except === undefined ? [] : [except]);
  let tried = 0;
  let fired = 0;
  const low = state.registers.sp;
  const cfa = activations.at(0)?.cfa;
  const from = low ?? cfa;
  const what = "objects that the stack of the fault leads to and that are free";
  if (from === undefined) return { what, tried, fired };
  for (let i = 0; i < MAX_WORDS && tried < MAX_SAMPLE; i++) {
    const word = kernel.memory.tryU64(virtual(BigInt.asUintN(64, from + BigInt(i * 8))));
    if (word === undefined) break;
    if (!kernel.arch.isKernelAddress(word)) continue;
    const role = slabRole(tryIdentify(kernel, word));
    if (role === undefined || role.state.state === "unknown" || seen.has(role.object)) continue;
    seen.add(role.object);
    tried++;
    if (role.state.state === "free") fired++;
  }
  return { what, tried, fired };
}
