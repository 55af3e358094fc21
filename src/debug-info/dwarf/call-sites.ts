/**
 * Calls that a function makes, as its compiler describes them: DW_TAG_call_site and its parameters, DWARF 5, section 3.4; in version 4
 * GCC's DW_TAG_GNU_call_site (https://dwarfstd.org/issues/100909.2.html), whose return address is DW_AT_low_pc and whose target is
 * DW_AT_abstract_origin.
 *
 *   call_site   call_return_pc (behind the call), call_origin (the function called)
 *     └─ call_site_parameter   location: reg5 (rdi)     call_value: breg3 (rbx) +0      over the caller's registers
 */
import type { CallSite } from "../debug-info.ts";
import {
  DW_AT_abstract_origin,
  DW_AT_call_origin,
  DW_AT_call_return_pc,
  DW_AT_call_tail_call,
  DW_AT_call_value,
  DW_AT_GNU_call_site_value,
  DW_AT_GNU_tail_call,
  DW_AT_location,
  DW_AT_low_pc,
  DW_AT_name,
  DW_TAG_call_site,
  DW_TAG_call_site_parameter,
  DW_TAG_GNU_call_site,
  DW_TAG_GNU_call_site_parameter,
  DW_TAG_inlined_subroutine,
  DW_TAG_lexical_block,
} from "./constants.ts";
import type { Die } from "./die.ts";
import { holderOf } from "./scopes-origin.ts";

/** Blocks and inlined calls within each other; real ones go to some thirty. */
const MAX_DEPTH = 512;
/** The largest function of a kernel makes some 2,000 calls. */
const MAX_SITES = 1 << 16;

const NOWHERE = new Uint8Array(0);

/** All calls of a function, those of the parts inlined into it too, sorted by return address. */
export function callSitesOf(scope: Die): readonly CallSite[] {
  const found: CallSite[] = [];
  collect(scope, found, 0);
  return found.sort((a, b) => (a.returnAddress < b.returnAddress ? -1 : a.returnAddress > b.returnAddress ? 1 : 0));
}

function collect(scope: Die, found: CallSite[], depth: number): void {
  for (const child of scope.children()) {
    switch (child.tag) {
      case DW_TAG_call_site:
      case DW_TAG_GNU_call_site: {
        const site = found.length < MAX_SITES ? callSite(child) : undefined;
        if (site !== undefined) found.push(site);
        break;
      }
      case DW_TAG_lexical_block:
      case DW_TAG_inlined_subroutine:
        if (depth < MAX_DEPTH) collect(child, found, depth + 1);
        break;
    }
  }
}

/** undefined for a call whose return address is not given: nothing on a stack leads to it. */
function callSite(die: Die): CallSite | undefined {
  const returnAddress = die.address(DW_AT_call_return_pc) ?? die.address(DW_AT_low_pc);
  if (returnAddress === undefined) return undefined;
  const target = die.reference(DW_AT_call_origin) ?? die.reference(DW_AT_abstract_origin);
  return {
    returnAddress,
    tail: die.flag(DW_AT_call_tail_call) || die.flag(DW_AT_GNU_tail_call),
    target: target === undefined ? undefined : holderOf(target, DW_AT_name)?.name,
    parameters: die.hasChildren ? parametersOf(die) : [],
    die,
  };
}

/**
 * One without DW_AT_location passes nothing: GCC removed the parameter (constant propagation) and names it by DW_AT_call_parameter;
 * `location` is empty then. One without value is left out.
 */
function parametersOf(site: Die): CallSite["parameters"] {
  const found: CallSite["parameters"][number][] = [];
  for (const die of site.children()) {
    if (die.tag !== DW_TAG_call_site_parameter && die.tag !== DW_TAG_GNU_call_site_parameter) continue;
    const value = die.bytes(DW_AT_call_value) ?? die.bytes(DW_AT_GNU_call_site_value);
    if (value !== undefined) found.push({ location: die.bytes(DW_AT_location) ?? NOWHERE, value, die });
  }
  return found;
}
