/**
 * The place of a link that a loop has gone on from: `entry = entry->next` leaves nothing of the entry in a register. Where the walk began is
 * known more often: from there the same links lead to the one that holds the bad value.
 *
 *   mov 0x18(%rdi),%rdi        rdi = 630a736574796220 ◄ channel->first ─► 0x18 ─► 0x18 ─► ff3b…018, which holds it
 */
import { type VirtualAddress, virtual } from "../../bytes/address.ts";
import type { Origin } from "../../type-flow/origin.ts";
import type { BadValue, Parts } from "./fault-case.ts";
import { sameOrigin } from "./known-values.ts";
import { type LoadStep, loadText } from "./origin-step.ts";

/** Links that are followed. */
const MAX_LINKS = 4096;
const MAX_WAYS = 8;

/**
 * The slice with the place of its first load, where a walk from what the loop began with, or from what a register holds, comes upon the value.
 * NULL ends every list: it proves none.
 */
export function withWalk(parts: Parts, bad: BadValue): BadValue {
  const { kernel, activations, values } = parts;
  const all = bad.origin?.steps ?? [];
  const index = all.findIndex(({ kind }) => kind !== "sum");
  const step = all[index];
  const load = step?.load;
  if (bad.origin === undefined || step === undefined || step.level !== bad.level) return bad;
  if (load?.comparison !== "address unknown" || load.size !== 8 || !isTelling(step.value)) return bad;
  const at = activations.at(bad.level);
  const own = stepOf(bad.register === undefined ? undefined : at?.flow?.originOf(at.pc, bad.register));
  if (at === undefined || own === undefined) return bad;
  const known = own.ways.slice(0, MAX_WAYS).flatMap((way) => values.of(bad.level, way)?.value ?? []);
  // What is added to a link makes an entry of it.
  const added = bad.value - step.value;
  for (const start of [...known, ...at.registers.values()]) {
    const entry = walk(kernel, start, own.offset, added, step.value);
    if (entry === undefined) continue;
    const address = virtual(BigInt.asUintN(64, entry + own.offset));
    const found: LoadStep = { ...load, base: entry, address, now: step.value, comparison: "same" };
    const steps = all.with(index, { ...step, text: loadText(found), load: found });
    return { ...bad, origin: { ...bad.origin, steps } };
  }
  return bad;
}

/** Small numbers are met everywhere. */
function isTelling(value: bigint): boolean {
  return value > 0xffffn && BigInt.asUintN(64, -value) > 0xffffn;
}

/** The loop's own step, and what else its pointer may come from. */
function stepOf(origin: Origin | undefined): { readonly offset: bigint; readonly ways: readonly Origin[] } | undefined {
  if (origin === undefined) return undefined;
  if (origin.kind === "sum") return stepOf(origin.from);
  // At the loop's head its own step and what it began with meet.
  const ways = origin.kind === "merge" ? origin.of : [origin];
  const own = ways.find((way) => way.kind === "load");
  if (own?.kind !== "load" || ways.filter(({ kind }) => kind === "load").length > 1) return undefined;
  const starts = [...ways, ...(own.from === undefined ? [] : [own.from])].flatMap((way) => beginnings(way, own));
  return { offset: own.offset, ways: starts };
}

/** The entry whose link holds the value. */
function walk(kernel: Parts["kernel"], start: bigint, offset: bigint, added: bigint, value: bigint): bigint | undefined {
  const seen = new Set<bigint>();
  let entry = start;
  while (seen.size < MAX_LINKS && kernel.arch.isKernelAddress(entry) && !seen.has(entry)) {
    seen.add(entry);
    const next = kernel.memory.tryU64(BigInt.asUintN(64, entry + offset) as VirtualAddress);
    if (next === undefined) return undefined;
    if (next === value) return entry;
    entry = BigInt.asUintN(64, next + added);
  }
  return undefined;
}

/** The ways that are not the loop's own step. */
function beginnings(from: Origin, step: Origin, depth = 0): readonly Origin[] {
  if (depth > 4 || from.kind === "unknown") return [];
  if (from.kind === "merge") return from.of.flatMap((each) => beginnings(each, step, depth + 1));
  return sameOrigin(from, step) ? [] : [from];
}
