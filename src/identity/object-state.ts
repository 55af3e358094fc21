/** The state of a slab object as the identity tells it. */
import { InquestError } from "../bytes/errors.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { ObjectState } from "../linux/address-identity.ts";
import type { SlabObject } from "../linux/slab.ts";
import { slabObjectState } from "../linux/slab-state.ts";

/** Never throws for damaged memory: what cannot be followed is an unknown state with its reason. */
export function objectState(kernel: Kernel, object: SlabObject): ObjectState {
  try {
    return slabObjectState(kernel, object) ?? { state: "unknown" };
  } catch (error) {
    if (!(error instanceof InquestError)) throw error;
    return { state: "unknown", reason: error.message };
  }
}
