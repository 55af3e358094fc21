/**
 * A place in an area of vmalloc() that was given back: its pages are gone at once, its range waits to be flushed from all TLBs
 * (mm/vmalloc.c: free_vmap_area_noflush(), purge_vmap_area_root), and so long nobody else has it.
 */
import { hex16 } from "../../bytes/address.ts";
import type { AddressRole } from "../../linux/address-identity.ts";
import type { FaultCase } from "./fault-case.ts";
import { tryIdentify } from "./try-identify.ts";

export type FreedArea = Extract<AddressRole, { readonly kind: "vmalloc area" }>;

/** The area that the access fell into; undefined when it is in use, or the pointer leads somewhere else: then it ran out of that. */
export function freedArea({ kernel, access, bad }: FaultCase): FreedArea | undefined {
  if (access.kind !== "memory" || bad === undefined || !kernel.arch.isKernelAddress(access.address)) return undefined;
  const area = freedAt(kernel, access.address);
  return area === undefined || bad.value < area.start || bad.value > area.end ? undefined : area;
}

function freedAt(kernel: FaultCase["kernel"], address: bigint): FreedArea | undefined {
  return tryIdentify(kernel, address)?.roles.find((role): role is FreedArea => role.kind === "vmalloc area" && role.freed === true);
}

/** "the vmalloc area at ffff…, 495616 bytes, which was given back". */
export function freedAreaText({ start, end }: FreedArea): string {
  return `the vmalloc area at ${hex16(start)}, ${end - start} bytes, which was given back`;
}
