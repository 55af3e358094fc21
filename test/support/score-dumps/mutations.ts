/**
 * Mutations of one healthy dump, chosen by a seed:
 *
 *   for (const mutation of mutationsOf(kernel, { seed: "trial", count: 20, views })) {
 *     const mutated = openKernelOf(overlaidDump(kernel.dump, mutation.edits));
 *     diagnose(mutated) …      against mutation.label
 *   }
 *
 * Three in four are damage, the fourth is none and nothing may be said of it. For development choose seeds of your own: the score uses
 * others, so what is fitted to some seeds is not what is measured.
 */
import type { ViewTruth } from "../../../lab/views-truth.ts";
import type { Kernel } from "../../../src/kernel/kernel.ts";
import { changedCount, flippedBit, poisonedNode, textOverPointer } from "./damage.ts";
import { flippedText } from "./flipped-text.ts";
import { damagedFreelist } from "./free-lists.ts";
import { harmlessChange } from "./harmless.ts";
import { closedCircle } from "./lock-cycles.ts";
import { collectMore } from "./more-sites.ts";
import type { Mutation } from "./mutation.ts";
import { collectQueues, QUEUES } from "./queue-sites.ts";
import { Chance } from "./random.ts";
import { Sites } from "./sites.ts";

/** Every so many-th is harmless. */
const HARMLESS = 4;

export interface MutationOptions {
  readonly seed: string;
  readonly count: number;
  /** What the scenario "views" tells of its locks: circles of them are all that is made there, as its threads do wait for ever. */
  readonly views?: readonly ViewTruth[];
}

/** The kernel is the healthy one, opened with types; with its vmlinux code is damaged too. */
export function* mutationsOf(kernel: Kernel, { seed, count, views = [] }: MutationOptions): Generator<Mutation, void, undefined> {
  const sites = kernel.memo(Sites, () => sitesOf(kernel));
  const queues = sites.pointers.filter(({ group }) => group.startsWith(QUEUES));
  const others = sites.pointers.filter(({ group }) => !group.startsWith(QUEUES));
  const first = new Chance(seed).below(64);
  for (let n = 0; n < count; n++) {
    const chance = new Chance(`${seed} ${n}`);
    if (views.length > 0) {
      const circle = closedCircle(kernel, views, chance);
      if (circle !== undefined) yield circle;
      continue;
    }
    const ways: (() => Mutation | undefined)[] = [
      () => flippedBit(kernel, others, chance),
      () => textOverPointer(kernel, others, chance),
      () => damagedFreelist(kernel, chance),
      () => poisonedNode(kernel, sites, chance),
      () => changedCount(kernel, sites, chance),
      () => flippedText(kernel, chance),
      () => inQueues(flippedBit(kernel, queues, chance)),
      () => inQueues(textOverPointer(kernel, queues, chance)),
    ];
    // Kinds take turns, so that none is rare by chance.
    const turn = (first + n - Math.floor(n / HARMLESS)) % ways.length;
    const made =
      n % HARMLESS === HARMLESS - 1 ? harmlessChange(kernel, sites, chance) : firstOf([...ways.slice(turn), ...ways.slice(0, turn)]);
    if (made !== undefined) yield made;
  }
}

function inQueues(made: Mutation | undefined): Mutation | undefined {
  return made === undefined ? undefined : { ...made, kind: `${made.kind}-queues` };
}

function sitesOf(kernel: Kernel): Sites {
  const sites = new Sites(kernel);
  collectMore(kernel, sites);
  collectQueues(kernel, sites);
  return sites;
}

function firstOf(ways: readonly (() => Mutation | undefined)[]): Mutation | undefined {
  for (const way of ways) {
    const made = way();
    if (made !== undefined) return made;
  }
  return undefined;
}
