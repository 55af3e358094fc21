/**
 * What a concrete entry leaves to others: DW_AT_abstract_origin (an inlined or out-of-line instance to its abstract one, DWARF 5,
 * section 3.3.8) and DW_AT_specification (a definition to its declaration, section 2.13.2).
 *
 *   inlined_subroutine ──abstract_origin──► subprogram (abstract) ──specification──► subprogram (declaration)
 *        ranges, call_line                     name, type, parameters
 */
import { DW_AT_abstract_origin, DW_AT_specification } from "./constants.ts";
import type { Die } from "./die.ts";

/** GCC makes chains of three (a part of a clone of an inline function); a ring in a damaged file ends here. */
const MAX_CHAIN = 16;

/** The entry and what it stands for, nearest first. */
export function originChain(die: Die): readonly Die[] {
  const chain = [die];
  for (let here = originOf(die); here !== undefined && chain.length < MAX_CHAIN; here = originOf(here)) chain.push(here);
  return chain;
}

/** The entry that this one is an instance of or completes; undefined when it stands for itself. */
export function originOf(die: Die): Die | undefined {
  return die.reference(DW_AT_abstract_origin) ?? die.reference(DW_AT_specification);
}

/** The first in the chain that has an attribute. */
export function holderOf(die: Die, attribute: number): Die | undefined {
  let here: Die | undefined = die;
  for (let depth = 0; here !== undefined && depth < MAX_CHAIN; depth++, here = originOf(here)) {
    if (here.has(attribute)) return here;
  }
  return undefined;
}
