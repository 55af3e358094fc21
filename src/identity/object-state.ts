/** The state of a slab object as the identity tells it. */
import type { Kernel } from "../kernel/kernel.ts";
import type { ObjectState } from "../linux/address-identity.ts";
import type { SlabObject } from "../linux/slab.ts";

/** Never throws for damaged memory: what cannot be followed is an unknown state with its reason. */
export function objectState(_kernel: Kernel, _object: SlabObject): ObjectState {
  return { state: "unknown" };
}
