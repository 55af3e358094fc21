/** What is right to say of a case: of planted faults their own labels, of the lab's older scenarios the table below (lab/modules tells why). */
import { type CachedCase, isRealTime } from "../../../lab/case-record.ts";
import { labelOn, plantedFaults } from "../../../lab/faults/planted-fault.ts";
import type { VerdictClass } from "../../../src/diagnosis/verdict.ts";
import type { MutationLabel } from "./mutation.ts";

export interface ScoreLabel extends Omit<MutationLabel, "cache"> {
  readonly function?: readonly string[];
  readonly object?: { readonly type?: readonly string[]; readonly cache?: readonly string[] };
  /** Comms, "*" for any ending; of a circle all, of a chain the root. */
  readonly participants?: readonly string[];
}

const DELIBERATE: ScoreLabel = { class: ["deliberate"] };
/** lab_fault.c: lab_fault_map_segment() with request->segment = NULL; the compiler loads sector first, or stores length. */
const NULL_SEGMENT: ScoreLabel = {
  class: ["null-pointer-dereference"],
  function: ["lab_fault_map_segment"],
  module: "lab_fault",
  member: ["lab_segment.length", "lab_segment.sector"],
};
/** lab_irq.c: lab_irq_account() of a NULL ring. */
const NULL_RING: ScoreLabel = {
  class: ["null-pointer-dereference"],
  function: ["lab_irq_account"],
  module: "lab_irq",
  member: ["lab_ring.consumed"],
};
const SPINNER = ["lab_hang_spinner"];

const SCENARIOS: Readonly<Record<string, ScoreLabel>> = {
  null: NULL_SEGMENT,
  max: NULL_SEGMENT,
  "null-pointer": NULL_SEGMENT,
  timer: NULL_RING,
  irq: NULL_RING,
  work: NULL_RING,
  call: { class: ["null-function-call"], function: ["lab_fault_map_segment"], module: "lab_fault", member: ["lab_segment.complete"] },
  uaf: {
    class: ["use-after-free"],
    function: ["lab_slab_visit"],
    module: "lab_slab",
    member: ["lab_widget.peer"],
    object: { type: ["lab_widget"], cache: ["lab_widget"] },
  },
  list: { class: ["list-corruption"], function: ["lab_slab_corrupt_list"], module: "lab_slab", member: ["lab_widget.node.prev"] },
  // The write went past an object; its own red zone shows it.
  overflow: { class: ["slab-redzone", "out-of-bounds"], module: "lab_slab", object: { type: ["lab_widget"], cache: ["lab_widget"] } },
  // Without slub_debug the cache is merged with others of its size and has their name.
  double: { class: ["double-free"], module: "lab_slab" },
  stack: { class: ["stack-overflow"], function: ["lab_fault_recurse"], module: "lab_fault" },
  warn: { class: ["warning-panic"], function: ["lab_fault_queue_request"], module: "lab_fault" },
  bug: { class: ["bug-assertion"], function: ["lab_fault_queue_request"], module: "lab_fault" },
  // A module's own panic(): a device gave up, or an assertion failed; the text does not say which.
  panic: { class: ["device-panic", "bug-assertion"], function: ["lab_fault_queue_request"], module: "lab_fault" },
  ipi: { class: ["device-panic", "bug-assertion"], module: "lab_irq" },
  hung: { class: ["deadlock"], function: ["lab_hang_take_both"], module: "lab_hang", participants: ["lab-ab", "lab-ba"] },
  "hung-tasks": { class: ["deadlock"], function: ["lab_hang_take_both"], module: "lab_hang", participants: ["lab-ab", "lab-ba"] },
  rwsem: { class: ["lock-held-by-sleeper"], module: "lab_hang", participants: ["lab-reader"] },
  spin: {
    class: ["deadlock", "hard-lockup"],
    function: ["lab_hang_spin_both"],
    module: "lab_hang",
    participants: ["lab-spin-ab", "lab-spin-ba"],
  },
  soft: { class: ["soft-lockup"], function: SPINNER, module: "lab_hang", participants: ["lab-spinner"] },
  rcu: { class: ["rcu-stall"], function: SPINNER, module: "lab_hang", participants: ["lab-spinner"] },
  leak: { class: ["memory-leak", "out-of-memory"] },
  nmi: DELIBERATE,
  bare: DELIBERATE,
  nokaslr: DELIBERATE,
  many: DELIBERATE,
  many20k: DELIBERATE,
  full4g: DELIBERATE,
  // Among much that is healthy three tasks do lock each other out for ever, and that is no fault of the crash that was asked for.
  views: { class: ["deliberate", "deadlock"], pids: [] },
  objects: { class: ["deliberate", "deadlock"], pids: [] },
};

/** The readers' names are nowhere in the lock. */
const RWSEM_OF_REAL_TIME: ScoreLabel = { class: ["hung-task", "lock-held-by-sleeper"], module: "lab_hang" };

/** The label of a case; undefined when nobody said what is right. */
export function labelOf(lab: CachedCase): ScoreLabel | undefined {
  const planted = lab.fault;
  // A kernel without any symbols, and modules without: no function has a name.
  if (lab.kernel.id.endsWith("-nosyms")) return { class: SCENARIOS[lab.scenario]?.class ?? [] };
  if (lab.scenario === "rwsem" && isRealTime(lab)) return RWSEM_OF_REAL_TIME;
  if (planted === undefined) return SCENARIOS[lab.scenario] ?? SCENARIOS[lab.scenario.replace(/^kdump-/, "")];
  const fault = plantedFaults().find(({ name }) => name === planted);
  return fault === undefined ? undefined : labelOn(fault, lab.kernel.id);
}

/** Nothing is wrong, and nobody may be accused. */
export function isHealthy({ class: classes }: { readonly class: readonly VerdictClass[] }): boolean {
  return classes[0] === "deliberate";
}

/** Fit to be mutated: with nothing wrong beside what is done to it; of "views" all that is wrong is known (lock-cycles.ts). */
export function isSound({ class: classes, pids }: ScoreLabel): boolean {
  return classes.every((each) => each === "deliberate") || pids !== undefined;
}
