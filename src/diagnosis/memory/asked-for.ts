/**
 * Who asked for memory, by what the kernel noted of it, or by the task that found none.
 *
 *   slub_debug=U, KASAN, page_owner     a stack for each object, block of pages
 *   the last stack                      allocate_slab(s) ◄ kmem_cache_alloc(s) ◄ F        with s, the cache, in a register of those frames
 */
import { hex16, type VirtualAddress } from "../../bytes/address.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { SlabCache } from "../../linux/slab-cache.ts";
import { hasOwners, type Owners, pageOwners, slabOwners } from "../../linux/slab-owners.ts";
import type { StackFrame } from "../../stack/frame.ts";
import { isTool } from "../checks/blame.ts";
import { lastStack } from "../ending/last-stack.ts";
import { plainName } from "../fault/words.ts";
import { guarded } from "../guarded.ts";
import type { Evidence } from "../verdict.ts";

export interface Asked {
  readonly function: string;
  readonly module?: string;
  /** A sentence. */
  readonly text: string;
  readonly evidence: readonly Evidence[];
}

/** Of what is held, that one place must have asked for. */
const NEARLY_ALL = 0.75;
/** Functions that make room in a slab cache, or in the page allocator for it. */
const ALLOCATES =
  /^(?:_{0,3}slab_alloc(?:_node)?|allocate_slab|new_slab|kmem_cache_alloc\w*|_{0,2}kmalloc\w*|__do_kmalloc_node|kvmalloc\w*)$/;

/** Of a cache's objects in use. */
export function askedForObjects(kernel: Kernel, cache: SlabCache): Asked | undefined {
  if (!hasOwners(kernel, cache)) return undefined;
  const owners = guarded(() => slabOwners(kernel, [cache], "allocation"));
  return owners === undefined ? undefined : mostOf(kernel, owners, `objects of ${cache.name}`, `slab owners -n 5 ${cache.name}`);
}

/** Of blocks of pages, where page_owner was on. */
export function askedForPages(kernel: Kernel): Asked | undefined {
  const owners = guarded(() => pageOwners(kernel));
  return owners === undefined ? undefined : mostOf(kernel, owners, "blocks of pages", "slab owners -p -n 5", 0.3);
}

function mostOf(kernel: Kernel, { groups, untracked }: Owners, what: string, command: string, share = NEARLY_ALL): Asked | undefined {
  const [top] = groups;
  const all = groups.reduce((sum, { bytes }) => sum + bytes, 0);
  const count = groups.reduce((sum, { count: each }) => sum + each, 0) + untracked;
  if (top === undefined || top.bytes < all * share || top.lack !== undefined) return undefined;
  const place = placeOf(kernel, top.stack);
  if (place === undefined) return undefined;
  const name = `${place.function}${place.module === undefined ? "" : ` [${place.module}]`}`;
  const time =
    top.first === undefined || top.last === undefined || top.last - top.first < 1
      ? ""
      : `, from ${top.first.toFixed(1)} s to ${top.last.toFixed(1)} s after boot`;
  return {
    ...place,
    text: `${name} asked for ${top.count} of ${count} ${what}${time}`,
    evidence: [{ claim: `${top.count} ${what} were asked for by ${name}`, command, values: [] }],
  };
}

/** The innermost function of a stack that is no tool. */
function placeOf(kernel: Kernel, stack: readonly VirtualAddress[]): Pick<Asked, "function" | "module"> | undefined {
  for (const address of stack) {
    // A return address behind a call that does not return belongs to the next function.
    const found = kernel.arch.isKernelAddress(address) ? kernel.symbols.byAddress((address - 1n) as VirtualAddress) : undefined;
    if (found === undefined) continue;
    const place = { function: plainName(found.symbol.name), module: found.symbol.module };
    if (ALLOCATES.test(place.function) || isTool(place)) continue;
    return { function: place.function, ...(place.module === undefined ? {} : { module: place.module }) };
  }
  return undefined;
}

/** The task that gave up was taking one more object of this cache: a register of the allocator's frames holds it. */
export function askedLast(kernel: Kernel, cache: SlabCache): Asked | undefined {
  const frames = lastStack(kernel)?.callers ?? [];
  const first = frames.findIndex((frame) => ALLOCATES.test(nameOf(frame)));
  if (first < 0) return undefined;
  let at = first;
  let holds = false;
  for (; at < frames.length; at++) {
    const frame = frames[at] as StackFrame;
    if (!ALLOCATES.test(nameOf(frame)) && !isTool({ function: nameOf(frame), module: frame.module })) break;
    holds ||= Object.values(frame.registers.record()).includes(cache.address);
  }
  const caller = frames[at];
  holds ||= caller !== undefined && Object.values(caller.registers.record()).includes(cache.address);
  if (caller?.function === undefined || caller.certainty !== "exact" || !holds) return undefined;
  const name = `${nameOf(caller)}${caller.module === undefined ? "" : ` [${caller.module}]`}`;
  return {
    function: nameOf(caller),
    ...(caller.module === undefined ? {} : { module: caller.module }),
    text: `the task that found no memory was in ${name}, which was taking one more object of ${cache.name}`,
    evidence: [{ claim: `${name} was taking one more object of ${cache.name} (${hex16(cache.address)})`, command: "bt", values: [] }],
  };
}

const nameOf = ({ function: name }: StackFrame): string => plainName(name ?? "");
