/**
 * Slab objects that nobody refers to. Row 27 of the catalogue.
 *
 *   caches that hold much ─► objects in use drawn from them, and from others ─► one walk over memory: who refers to them
 *
 * Objects that only lost ones refer to (the data of a lost packet) are lost with them. Objects in a list among themselves are lost only when the
 * list leads nowhere else.
 */
import { add, hex16, type VirtualAddress, virtual } from "../../bytes/address.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { Slabs } from "../../linux/slab.ts";
import { aliasesOf } from "../../linux/slab-aliases.ts";
import type { SlabCache } from "../../linux/slab-cache.ts";
import { objectType } from "../fault/object-type.ts";
import type { Evidence } from "../verdict.ts";
import { askedForObjects, askedLast } from "./asked-for.ts";
import type { HeldCache, Holders } from "./holders.ts";
import { ENOUGH, LARGE, type Lost, NEARLY_ALL } from "./lost.ts";
import { type ModuleProof, provedByCache, provedByContents, provedByTarget } from "./module-proof.ts";
import { type Referrer, type Referrers, referrersOf } from "./referrers.ts";
import { type Sample, samplesOf } from "./samples.ts";

/** Of all memory: smaller caches are not looked at. */
const WORTH_A_LOOK = 0.02;
const MAX_CACHES = 6;
/** Objects of a list that are followed until it leads out of the cache. */
const MAX_CHAIN = 1 << 18;

interface Judged {
  readonly cache: HeldCache;
  readonly samples: readonly Sample[];
  readonly unheld: number;
  /** Of each that is held: caches whose objects alone refer to it; undefined when something else does too. */
  readonly heldBy: readonly (ReadonlySet<VirtualAddress> | undefined)[];
}

export function lostObjects(kernel: Kernel, { total, caches }: Holders, progress?: (done: number, of: number) => void): Lost | undefined {
  const large = caches.filter(({ pages }) => pages >= total * WORTH_A_LOOK).slice(0, MAX_CACHES);
  if (large.reduce((sum, { pages }) => sum + pages, 0) < total * LARGE) return undefined;
  const { suspects, others } = samplesOf(kernel, new Set(large.map(({ cache }) => cache.address)));
  const found = referrersOf(kernel, [...suspects, ...others], undefined, progress);
  if (found === undefined) return undefined;
  const held = (sample: Sample): readonly Referrer[] => found.held[[...suspects, ...others].indexOf(sample)] ?? [];
  const judged = large.map((cache) => judge(kernel, cache, suspects, held));
  const lost = judged.filter(({ samples, unheld }) => samples.length >= ENOUGH && unheld >= samples.length * NEARLY_ALL);
  const [first] = lost;
  if (first === undefined) return undefined;
  const roots = new Set(lost.map(({ cache }) => cache.cache.address));
  const along = judged.filter(
    (each) =>
      !lost.includes(each) &&
      each.samples.length >= ENOUGH &&
      each.heldBy.filter((by) => by !== undefined && [...by].every((cache) => roots.has(cache))).length + each.unheld >=
        each.samples.length * NEARLY_ALL,
  );
  const pages = [...lost, ...along].reduce((sum, { cache }) => sum + cache.pages, 0);
  return pages < total * LARGE ? undefined : told(kernel, first, along, pages, others, held, found);
}

function judge(kernel: Kernel, cache: HeldCache, suspects: readonly Sample[], held: (sample: Sample) => readonly Referrer[]): Judged {
  const samples = suspects.filter(({ cache: own }) => own === cache.cache.address);
  const heldBy: (ReadonlySet<VirtualAddress> | undefined)[] = [];
  let unheld = 0;
  for (const sample of samples) {
    const by = held(sample);
    const outside = by.filter(({ object }) => object?.cacheAddress !== cache.cache.address);
    if (outside.length > 0) {
      const caches = outside.flatMap(({ object }) => object?.cacheAddress ?? []);
      heldBy.push(caches.length < outside.length ? undefined : new Set(caches));
      continue;
    }
    // By its like alone: a list of them, which may have a head elsewhere.
    const way = by[0] === undefined ? "lost" : leadsOut(kernel, by[0], sample, cache.cache);
    if (way === "lost") unheld++;
  }
  return { cache, samples, unheld, heldBy };
}

/** Follows the links that lie where one refers to the other, until one leads out of the cache. */
function leadsOut(kernel: Kernel, { at, object }: Referrer, sample: Sample, cache: SlabCache): "lost" | "held" | "unknown" {
  if (object === undefined) return "unknown";
  const offset = Number(at - object.object);
  const word = kernel.memory.tryU64(virtual(at));
  const into = word === undefined ? 0 : Number(word - sample.start);
  const slabs = Slabs.of(kernel);
  const seen = new Set<bigint>();
  let node = sample.start;
  for (let step = 0; step < MAX_CHAIN && !seen.has(node); step++) {
    seen.add(node);
    const next = kernel.memory.tryU64(add(node, offset));
    if (next === undefined) return "unknown";
    // A chain without a head at this end: what leads to its other end is not known.
    if (next === 0n) return "unknown";
    const inSlab = slabs?.objectOf(virtual(next));
    if (inSlab?.cacheAddress !== cache.address) return "held";
    node = add(virtual(next), -into);
  }
  return seen.has(node) ? "lost" : "unknown";
}

function told(
  kernel: Kernel,
  { cache: { cache, allocated, total }, samples, unheld }: Judged,
  along: readonly Judged[],
  pages: number,
  others: readonly Sample[],
  held: (sample: Sample) => readonly Referrer[],
  { whole }: Referrers,
): Lost {
  const merged = aliasesOf(kernel, cache.address);
  const example = samples[0] as Sample;
  const type = objectType(kernel, example.start)?.name;
  const asked = askedForObjects(kernel, cache);
  const shared = merged.length > 0 || /kmalloc/.test(cache.name);
  const proof = asked === undefined ? proofOf(kernel, cache, samples, shared) : undefined;
  const last = asked === undefined ? askedLast(kernel, cache) : undefined;
  // Of a cache that many share anybody may have been the last to ask.
  const byLast = last !== undefined && (proof === undefined ? !shared : proof.module === last.module) ? last : undefined;
  const owner = asked ?? (proof === undefined ? byLast : { ...byLast, ...proof });
  const evidence: Evidence[] = [
    { claim: `${cache.name}: ${allocated} objects in use of ${total}`, command: `kmem -s ${cache.name}`, values: [] },
    {
      claim: `one of them, which is in use (search -k ${hex16(example.start)} finds nothing that leads to it)`,
      command: `kmem ${hex16(example.start)}`,
      values: [],
    },
    ...[...(asked?.evidence ?? []), ...(proof?.evidence ?? []), ...(byLast?.evidence ?? [])],
  ];
  return {
    what: `objects of ${cache.name}`,
    pages,
    drawn: samples.length,
    unheld,
    others: others.length,
    othersUnheld: others.filter((sample) => held(sample).length === 0).length,
    whole,
    ...(owner === undefined
      ? {}
      : {
          owner: {
            ...("function" in owner && owner.function !== undefined ? { function: owner.function } : {}),
            ...(owner.module === undefined ? {} : { module: owner.module }),
            text: owner.text,
          },
        }),
    name: `slab ${cache.name}`,
    object: { ...(type === undefined ? {} : { type }), address: example.start, state: "allocated", cache: cache.name },
    story: [
      ...(last !== undefined && byLast === undefined
        ? [`${last.text.replace(/^\S/, (letter) => letter.toUpperCase())}: that alone proves nothing, for others take from it too.`]
        : []),
      ...(along.length === 0
        ? []
        : [`Only they refer to objects of ${along.map(({ cache: each }) => each.cache.name).join(", ")}, which are lost with them.`]),
    ],
    evidence,
  };
}

/** By their own words first: what the cache says is of all who share it. */
function proofOf(kernel: Kernel, cache: SlabCache, samples: readonly Sample[], shared: boolean): ModuleProof | undefined {
  const what = `objects drawn from ${cache.name}`;
  return (
    provedByContents(kernel, samples, what) ??
    (shared ? undefined : provedByCache(kernel, cache.address, cache.name)) ??
    provedByTarget(kernel, samples, what)
  );
}
