/**
 * One bit of a pointer is wrong: with it turned the value would be right, and something else in the dump says so. Row 12 of the catalogue.
 * A mapped address one bit away is no witness, there nearly always is one. Witnesses are
 *
 *   the list      entry->next with the bit turned is a node whose prev is the entry
 *   another copy  the corrected value stands in the registers, on the stack, or beside the place that the pointer was read from
 *   the type      the corrected value is the start of an allocated object of the cache that the member's type names, and no other flip is
 */
import { add, hex16, virtual } from "../../../bytes/address.ts";
import { stateText } from "../../../identity/describe.ts";
import type { Kernel } from "../../../kernel/kernel.ts";
import { poisonOf } from "../../../linux/poison.ts";
import type { Finding } from "../../finding.ts";
import type { Check, Evidence } from "../../verdict.ts";
import type { FaultCase } from "../fault-case.ts";
import { type FaultDetector, has } from "../fault-detector.ts";
import { objectType } from "../object-type.ts";
import { pointedTo } from "../origin-step.ts";
import { slabRole } from "../samples.ts";
import { sourceOf } from "../source-of.ts";
import { tryIdentify } from "../try-identify.ts";
import { accessPhrase, faultEvidence, functionText, pointerName, sourceEvidence, sourceObject, stateChecks } from "../words.ts";
import { isErrorPointer } from "./error-pointer.ts";

/** Words of the stack that are looked at. */
const MAX_WORDS = 1024;
/** Bytes either way of where the word lies. */
const MAX_NEAR = 2048;

interface Witness {
  /** Where the wrong word lies. */
  readonly at?: bigint;
  readonly bit: number;
  readonly right: bigint;
  readonly how: string;
  readonly sure: boolean;
  readonly evidence: readonly Evidence[];
}

export const bitFlip: FaultDetector = {
  class: "bit-flip",
  needs: ["bad value"],
  refutedBy: [
    "nothing else in the dump has the value with one bit turned",
    "several bits could be the one",
    "the value is NULL with one bit set, an error code, or a poison",
  ],
  detect(fault: FaultCase): Finding | undefined {
    const { bad, access } = fault;
    if (!has(fault, bitFlip.needs) || bad === undefined || access.kind === "trap") return undefined;
    const source = sourceOf(fault);
    const step = bad.origin?.steps.find(({ load }) => load !== undefined);
    // Where a loop has gone on from the node, the word is known by its value alone.
    const word = source?.comparison === "same" ? source.now : source?.address === undefined ? step?.value : undefined;
    if (source === undefined || word === undefined || source.size !== 8) return undefined;
    if (word === 0n || (word & (word - 1n)) === 0n || isErrorPointer(word) || poisonOf(word) !== undefined) return undefined;
    const all = witnesses(fault, source.address, word);
    const [first] = all;
    if (first === undefined) return undefined;
    const bits = new Set(all.map(({ bit }) => bit));
    const best = all.find(({ sure }) => sure) ?? first;
    const checks: Check[] = [
      ...stateChecks(fault),
      { what: `${hex16(word)} differs from ${hex16(best.right)} in bit ${best.bit} alone`, result: "held" },
      { what: best.how, result: best.sure ? "held" : "not possible" },
      { what: "no other bit has a witness", result: bits.size === 1 ? "held" : "refuted" },
    ];
    const at = source.address ?? best.at;
    const object = source.address === undefined && at !== undefined ? nodeObject(fault, at) : sourceObject(fault);
    const what = access.kind === "fetch" ? "calls" : `${accessPhrase(fault)} through`;
    return {
      class: "bit-flip",
      title: `${functionText(fault.guilty)} ${what} ${pointerName(fault)} = ${hex16(word)}, in which bit ${best.bit} is wrong`,
      checks,
      depth: "cause",
      ...(object === undefined ? {} : { object }),
      story: [`With bit ${best.bit} turned ${at === undefined ? "it" : hex16(at)} would hold ${hex16(best.right)}: ${best.how}.`],
      evidence: [...faultEvidence(fault), ...sourceEvidence(fault), ...best.evidence],
    };
  },
};

/** The object around a link that was found by its neighbour. */
function nodeObject(fault: FaultCase, at: bigint): Finding["object"] {
  const source = sourceOf(fault);
  const role = slabRole(tryIdentify(fault.kernel, at));
  return {
    ...(source?.container === undefined ? {} : { type: source.container }),
    ...(source?.member === undefined ? {} : { member: source.member }),
    address: role?.object ?? at,
    ...(role === undefined ? {} : { state: stateText(role.state), cache: role.cache }),
  };
}

function witnesses(fault: FaultCase, address: bigint | undefined, word: bigint): readonly Witness[] {
  const { kernel } = fault;
  const candidates = Array.from({ length: 64 }, (_, bit) => ({ bit, right: word ^ (1n << BigInt(bit)) })).filter(
    ({ right }) => kernel.arch.isKernelAddress(right) && kernel.memory.tryBytes(virtual(right), 1) !== undefined,
  );
  return [
    ...candidates.flatMap((each) => byList(kernel, address, word, each)),
    // A pointer to memory that was mapped once may have a neighbour one bit away.
    ...(mayHaveBeenMapped(kernel, word) || address === undefined ? [] : byCopy(fault, address, candidates)),
    ...byType(fault, candidates),
  ];
}

/** Areas of vmalloc() and modules come and go; of the linear map and of addresses that nothing can be at that is not so. */
function mayHaveBeenMapped(kernel: Kernel, word: bigint): boolean {
  if (kernel.arch.isKernelAddress(word) && kernel.memory.tryBytes(virtual(word), 1) !== undefined) return true;
  return ["vmalloc", "modules", "user"].includes(tryIdentify(kernel, word)?.region ?? "unknown");
}

type Candidate = Pick<Witness, "bit" | "right">;

/**
 * struct list_head: next at 0, prev at 8; of struct hlist_node pprev at 8 leads to what leads here. The neighbour must lead to a place that
 * holds the very word.
 */
function byList(kernel: Kernel, address: bigint | undefined, word: bigint, { bit, right }: Candidate): readonly Witness[] {
  if ((right & 7n) !== 0n) return [];
  const holds = (at: bigint | undefined) =>
    at !== undefined &&
    kernel.arch.isKernelAddress(at) &&
    (address === undefined || at === address) &&
    kernel.memory.tryU64(virtual(at)) === word;
  const witness = (at: bigint, from: bigint, value: bigint, how: string): Witness => ({
    at,
    bit,
    right,
    how,
    sure: true,
    evidence: [
      { claim: how, command: `struct list_head ${hex16(right)}`, values: [{ address: from, value }] },
      { claim: `${hex16(at)} holds ${hex16(word)}`, command: `rd ${hex16(at)} 1`, values: [{ address: at, value: word }] },
    ],
  });
  // The word is a next: the right neighbour's prev (or pprev) is where the word lies.
  const back = kernel.memory.tryU64(add(virtual(right), 8));
  if (back !== undefined && holds(back))
    return [witness(back, right + 8n, back, `the prev of the node at ${hex16(right)} leads to where it lies`)];
  // The word is a prev, 8 bytes into its node.
  const forth = kernel.memory.tryU64(virtual(right));
  const own = forth === undefined ? undefined : BigInt.asUintN(64, forth + 8n);
  if (forth !== undefined && own !== undefined && holds(own))
    return [witness(own, right, forth, `the next of the node at ${hex16(right)} leads to its node`)];
  return [];
}

/** The corrected value in registers, on the stack, in the rest of the object. */
function byCopy({ kernel, state, access, activations }: FaultCase, address: bigint, candidates: readonly Candidate[]): readonly Witness[] {
  const wanted = new Map(candidates.filter(({ right, bit }) => bit > 2 && (right & 7n) === 0n).map((each) => [each.right, each]));
  const found: Witness[] = [];
  const note = (value: bigint, place: string, at?: bigint) => {
    const candidate = wanted.get(value);
    if (candidate === undefined || found.some(({ bit }) => bit === candidate.bit)) return;
    const how = `${place} holds ${hex16(value)}`;
    const evidence = at === undefined ? [] : [{ claim: how, command: `rd ${hex16(at)} 1`, values: [{ address: at, value }] }];
    found.push({ ...candidate, how, sure: true, evidence });
  };
  if (access.kind === "memory") for (const [name, value] of activations.at(0)?.registers ?? []) note(value, name);
  // The rest of the object, its neighbours, the other elements of its array.
  for (let at = -MAX_NEAR; at < MAX_NEAR; at += 8) {
    const place = virtual(BigInt.asUintN(64, address + BigInt(at)));
    const value = at === 0 ? undefined : kernel.memory.tryU64(place);
    if (value !== undefined) note(value, `${hex16(place)}, ${Math.abs(at)} bytes ${at < 0 ? "before" : "behind"} it,`, place);
  }
  const { sp } = state.registers;
  for (let i = 0; sp !== undefined && i < MAX_WORDS; i++) {
    const place = virtual(BigInt.asUintN(64, sp + BigInt(i * 8)));
    const value = kernel.memory.tryU64(place);
    if (value === undefined) break;
    note(value, "the stack", place);
  }
  return found;
}

/** Exactly one flip gives the start of an allocated object of the structure that the pointer should lead to. */
function byType(fault: FaultCase, candidates: readonly Candidate[]): readonly Witness[] {
  const { kernel, bad, path } = fault;
  const target = pointedTo(bad?.origin?.type)?.name ?? (bad?.register === undefined ? undefined : path?.container);
  const plain = target?.replace(/^struct /, "");
  if (plain === undefined) return [];
  const found = candidates.flatMap(({ bit, right }): Witness[] => {
    const object = objectType(kernel, right);
    const role = slabRole(tryIdentify(kernel, right));
    if (object?.name !== `struct ${plain}` || object.address !== right || role?.state.state !== "allocated") return [];
    return [{ bit, right, how: `${hex16(right)} is an allocated object of ${role.cache}`, sure: false, evidence: [] }];
  });
  return found.length === 1 ? found : [];
}
