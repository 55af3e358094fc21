/**
 * Memory that was lost: it is in use, and nobody has its address any more, so nobody can give it back. Rows 26 and 27 of the catalogue.
 *
 * Asked where memory ran out, and where nothing is known to be wrong while one holder has a quarter of all memory or more. That something is
 * large is no leak: who holds it is looked for, and the same search must find who holds other memory.
 */
import type { DiagnosisContext } from "../context.ts";
import type { Detector } from "../detector.ts";
import { lastFrames, lastStack, logRecords } from "../ending/last-stack.ts";
import type { Finding } from "../finding.ts";
import { isQuiet } from "../integrity/is-quiet.ts";
import type { Check } from "../verdict.ts";
import { lostAreas } from "./area-leak.ts";
import { type Holders, memoryHolders, sizeText } from "./holders.ts";
import type { Lost } from "./lost.ts";
import { oomReport } from "./oom-report.ts";
import { lostPages } from "./page-leak.ts";
import { lostObjects } from "./slab-leak.ts";

/** Of others that were drawn in the same way: more that nobody holds, and the search proves nothing. */
const MISSED = 0.25;

export const memoryLeak: Detector = {
  name: "memory-leak",
  classes: ["memory-leak"],
  needs: [
    "one slab cache, caller of vmalloc() or taker of pages that has a quarter of all memory",
    "all memory but user pages in the dump",
  ],
  refutedBy: ["something in use refers to the objects", "the same search does not find who holds other objects"],
  appliesTo: (context) => isQuiet(context) || context.subject.event?.family === "memory",
  detect(context) {
    const { kernel, progress } = context;
    if (kernel.types.lack !== undefined) return [];
    const report = context.subject.event === undefined ? undefined : oomReport(logRecords(kernel));
    // A container at its limit says nothing of the machine.
    if (report?.group !== undefined) return [];
    const holders = memoryHolders(kernel, report);
    if (holders === undefined) return [];
    const tick = progress === undefined ? undefined : (done: number, of: number) => progress("who holds the memory", done, of);
    const lost =
      lostObjects(kernel, holders, tick) ??
      lostAreas(kernel, holders.total, tick) ??
      lostPages(kernel, holders.unaccounted ?? 0, holders.total, tick);
    return lost === undefined ? [] : [findingOf(context, lost, holders)];
  },
};

function findingOf({ kernel, subject }: DiagnosisContext, lost: Lost, { total }: Holders): Finding {
  const { owner, pages, what, drawn, unheld, others, othersUnheld, whole } = lost;
  const who =
    owner === undefined
      ? ""
      : owner.function === undefined
        ? owner.module
        : `${owner.function}${owner.module === undefined ? "" : ` [${owner.module}]`}`;
  const share = `${sizeText(kernel, pages)} (${Math.round((pages / total) * 100)} % of all)`;
  const checks: Check[] = [
    { what: `of ${drawn} drawn evenly, ${unheld} have no reference in any memory that is in use`, result: "held" },
    {
      what: `the same search finds who holds others (${others - othersUnheld} of ${others})`,
      result: others >= 8 && othersUnheld <= others * MISSED ? "held" : "not possible",
    },
    ...(whole ? [] : [{ what: "all memory is in the dump", result: "not possible" as const }]),
    {
      what: owner === undefined ? "somebody is proved to have asked for them" : `it is proved whose they are: ${owner.text}`,
      result: owner === undefined ? "not possible" : "held",
    },
  ];
  const last = subject.event?.family === "memory" ? lastStack(kernel) : undefined;
  return {
    class: "memory-leak",
    title: `${what}, ${share}, are lost${who === undefined || who === "" ? "" : `: ${who} asked for them`}`,
    checks,
    baseRate: { what: "objects of other caches to which no reference was found", tried: others, fired: othersUnheld },
    rarity: true,
    depth: "cause",
    object: lost.object,
    namedBy: { functions: [lost.name, ...(owner?.module === undefined ? [] : [owner.module])] },
    place: {
      ...(owner?.function === undefined ? {} : { function: owner.function }),
      ...(owner?.module === undefined ? {} : { module: owner.module }),
    },
    story: [
      `${share.replace(/^\S/, (letter) => letter.toUpperCase())} of memory are ${what}, in use, and nobody has their addresses any more: they cannot be given back.`,
      `Of ${drawn} drawn evenly ${unheld} have no reference in any memory that is in use; of ${others} other objects ${others - othersUnheld} have.`,
      ...(owner === undefined ? [] : [`${owner.text.replace(/^\S/, (letter) => letter.toUpperCase())}.`]),
      ...lost.story,
    ],
    evidence: [...lost.evidence, { claim: "how the memory is used", command: "kmem -i", values: [] }],
    ...(last === undefined ? {} : { frames: lastFrames(kernel, last, undefined) }),
  };
}
