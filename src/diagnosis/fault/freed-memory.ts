/**
 * Is the memory at an address given back? Slab objects on a freelist, pages that the page allocator has again, vmalloc areas that wait to be
 * unmapped. And which caches allow their free objects to be read (SLAB_TYPESAFE_BY_RCU, include/linux/slab.h).
 */
import { hex16, type VirtualAddress } from "../../bytes/address.ts";
import { InquestError } from "../../bytes/errors.ts";
import { stateText } from "../../identity/describe.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { type SlabRole, slabRole } from "./samples.ts";
import { tryIdentify } from "./try-identify.ts";

export interface FreedMemory {
  /** "unknown": a freelist that cannot be read; undefined roles are no memory that is ever given back. */
  readonly state: "free" | "allocated" | "unknown";
  /** "the object at ffff… (lab_widget) is free: slab freelist". */
  readonly text: string;
  readonly slab?: SlabRole;
}

export function freedMemory(kernel: Kernel, address: bigint): FreedMemory | undefined {
  const identity = tryIdentify(kernel, address);
  const slab = slabRole(identity);
  if (slab !== undefined) {
    return { state: slab.state.state, text: `the object at ${hex16(slab.object)} (${slab.cache}) is ${stateText(slab.state)}`, slab };
  }
  for (const role of identity?.roles ?? []) {
    if (role.kind === "vmalloc area" && role.freed === true)
      return { state: "free", text: `the vmalloc area at ${hex16(role.start)} was freed` };
    // "free, kept by a CPU or on its way, or not in use" says too little.
    if (role.kind === "page" && /^free, order /.test(role.use)) return { state: "free", text: `the page frame ${role.pfn} is ${role.use}` };
  }
  return undefined;
}

/** Of the flag until 6.8; from then on an enum in the types gives its bit (include/linux/slab.h, enum _slab_flag_bits). */
const TYPESAFE_BY_RCU = 0x0008_0000n;

/** May objects of the cache be read after they were freed? undefined when its flags cannot be read. */
export function isTypesafe(kernel: Kernel, cache: VirtualAddress): boolean | undefined {
  try {
    const field = kernel.types.tryStruct("kmem_cache")?.tryField("flags");
    if (field === undefined) return undefined;
    const bits = kernel.types.find("enum", "_slab_flag_bits");
    const bit = bits?.kind === "enum" ? bits.enumerators.find(({ name }) => name === "_SLAB_TYPESAFE_BY_RCU")?.value : undefined;
    return (BigInt(field.number(cache)) & (bit === undefined ? TYPESAFE_BY_RCU : 1n << bit)) !== 0n;
  } catch (error) {
    if (error instanceof InquestError) return undefined;
    throw error;
  }
}
