/**
 * Whether a pointer that was given back is one that may be: the start of an object that is in use, of the right cache. What else it is decides
 * between double free (the object is free already) and bad free (no object).
 *
 *   start of an object, free                    double-free
 *   within an object, another cache's object    bad-free
 *   page without an owner, stack, text, user    bad-free
 */

import { hex16, virtual } from "../../bytes/address.ts";
import { InquestError } from "../../bytes/errors.ts";
import { briefText, stateText } from "../../identity/describe.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { AddressIdentity, AddressRole } from "../../linux/address-identity.ts";
import { slabRole } from "../fault/samples.ts";
import { tryIdentify } from "../fault/try-identify.ts";
import type { Check } from "../verdict.ts";

export interface FreedPointer {
  /** "fine": nothing speaks against it; "missing": what would tell is not in the dump. */
  readonly verdict: "free already" | "no object" | "other cache" | "fine" | "unknown" | "missing";
  /** What it is: "the object at ffff… of kmalloc-192, free (cpu 0 freelist)". */
  readonly what: string;
  readonly check: Check;
}

/** @param cache kmem_cache that it was given back to @param vmalloc the function takes areas of vmalloc() */
export function freedPointer(kernel: Kernel, value: bigint, cache: bigint | undefined, vmalloc: boolean): FreedPointer {
  const identity = tryIdentify(kernel, value);
  const slab = slabRole(identity);
  if (slab !== undefined) return slabPointer(kernel, slab, cache);
  const area = identity?.roles.find((role) => role.kind === "vmalloc area");
  if (vmalloc && area?.kind === "vmalloc area" && area.start === value && area.freed !== true)
    return fine(`the vmalloc area at ${hex16(value)}`);
  if (identity === undefined) return unknown(`what lies at ${hex16(value)} cannot be read`);
  const large = largeAllocation(kernel, identity, value);
  if (large !== undefined) return large;
  // Who owns a page of the linear mapping its struct page says; where that is not in the dump, nobody does.
  if (identity.roles.length === 0 && identity.region === "linear map")
    return { ...unknown(`whose the page at ${hex16(value)} is cannot be told: its struct page is not in the dump`), verdict: "missing" };
  const what = describe(identity);
  return { verdict: "no object", what, check: { what: `${hex16(value)} is no object of the allocator: ${what}`, result: "held" } };
}

const fine = (what: string): FreedPointer => ({
  verdict: "fine",
  what,
  check: { what: `what was given back is wrong: it is ${what}`, result: "refuted" },
});

const unknown = (what: string): FreedPointer => ({ verdict: "unknown", what, check: { what, result: "not possible" } });

function slabPointer(kernel: Kernel, slab: Extract<AddressRole, { kind: "slab object" }>, cache: bigint | undefined): FreedPointer {
  const what = `the object at ${hex16(slab.object)} of ${slab.cache}, ${stateText(slab.state)}`;
  if (slab.offset !== 0) {
    const into = `${slab.offset} bytes into ${what}`;
    return { verdict: "no object", what: into, check: { what: `it is no object's start: ${into}`, result: "held" } };
  }
  if (cache !== undefined && cache !== slab.cacheAddress) {
    const named = cacheName(kernel, cache);
    // Charged to a control group an object may come from a copy of its cache, with the name in front (until 5.8: "dentry(12:system.slice)").
    const isCopy = named !== undefined && slab.cache.startsWith(`${named}(`);
    if (named !== undefined && !isCopy)
      return { verdict: "other cache", what, check: { what: `it was given back to ${named} and is ${what}`, result: "held" } };
  }
  if (slab.state.state === "free")
    return { verdict: "free already", what, check: { what: `the allocator has it already: ${what}`, result: "held" } };
  return slab.state.state === "unknown" ? unknown(what) : fine(what);
}

function cacheName(kernel: Kernel, cache: bigint): string | undefined {
  try {
    const field = kernel.types.tryStruct("kmem_cache")?.tryField("name");
    const at = field?.pointer(virtual(cache));
    const name = at === undefined ? undefined : kernel.memory.cString(at, 64);
    return name !== undefined && /^[\x21-\x7e]+$/.test(name) ? name : undefined;
  } catch (error) {
    if (error instanceof InquestError) return undefined;
    throw error;
  }
}

/** kmalloc() of more than two pages gives whole pages: a compound page, since 6.9 of the type "large_kmalloc". */
function largeAllocation(kernel: Kernel, { roles }: AddressIdentity, value: bigint): FreedPointer | undefined {
  const page = roles.find((role) => role.kind === "page");
  if (page?.kind !== "page" || page.order === undefined || page.order < 1 || /^free/.test(page.use)) return undefined;
  const start = (value & BigInt(kernel.arch.pageSize - 1)) === 0n && page.flags.some((flag) => /head/i.test(flag));
  return start ? fine(`an allocation of ${2 ** page.order} pages`) : undefined;
}

function describe(identity: AddressIdentity): string {
  const { roles, unreadable, region } = identity;
  const page = roles.find((role) => role.kind === "page");
  const telling = roles.find((role) => role.kind !== "page" && role.kind !== "struct page");
  if (telling === undefined && page?.kind === "page") return `in page frame ${page.pfn}, which is ${page.use}`;
  return briefText(identity) ?? unreadable ?? region;
}

/** Evidence is asked for by address. */
export function identityCommand(value: bigint): string {
  return `kmem ${hex16(value)}`;
}
