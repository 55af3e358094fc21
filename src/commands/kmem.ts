/**
 * `kmem`: the kernel's memory from many sides; each option is a view in kmem/.
 *
 *   kmem -i            the view that has -i
 *   kmem -f ADDRESS    the view that has -f, which narrows itself to the address
 *   kmem [-P] ADDRESS  the view without options: what the address is
 */
import { UsageError } from "../bytes/errors.ts";
import type { ParsedArguments } from "./arguments.ts";
import { defineCommand, type OptionSpec } from "./command.ts";
import { addressLookUp } from "./kmem/address.ts";
import { counters } from "./kmem/counters.ts";
import { freePages } from "./kmem/free-pages.ts";
import { hugePages } from "./kmem/huge-pages.ts";
import { memMap } from "./kmem/mem-map.ts";
import { nodes } from "./kmem/nodes.ts";
import { pageFlags } from "./kmem/page-flags.ts";
import { pageHash } from "./kmem/page-hash.ts";
import { perCpuOffsets } from "./kmem/per-cpu-offsets.ts";
import { slabObjects } from "./kmem/slab-objects.ts";
import { slabRoots } from "./kmem/slab-roots.ts";
import { slabSummary } from "./kmem/slab-summary.ts";
import { usage } from "./kmem/usage.ts";
import type { KmemView } from "./kmem/view.ts";
import { vmallocView } from "./kmem/vmalloc.ts";
import { zones } from "./kmem/zones.ts";

/** One a line, so that additions do not collide. The help page follows their order. */
// biome-ignore format: one a line
const VIEWS: readonly KmemView[] = [
  usage,
  freePages,
  zones,
  nodes,
  counters,
  vmallocView,
  memMap,
  pageFlags,
  hugePages,
  perCpuOffsets,
  pageHash,
  slabSummary,
  slabObjects,
  slabRoots,
  addressLookUp,
];

/** Options that change how operands are read in every view that takes an address. */
const SHARED: readonly OptionSpec[] = [{ flag: "-P", help: "the address is a physical one" }];

export interface KmemResult {
  readonly view: KmemView;
  readonly data: unknown;
  toJSON(): unknown;
}

export const kmem = defineCommand<KmemResult>({
  spec: {
    name: "kmem",
    summary: "kernel memory",
    synopsis: VIEWS.flatMap(({ synopsis, options }) => synopsis ?? options.map(({ flag }) => flag)),
    description: [
      "Shows the kernel's memory: each option is a view of its own. An address without an option is looked up.",
      ...VIEWS.flatMap(({ description }) => description ?? []),
    ],
    options: [...new Set(VIEWS.flatMap(({ options, modifiers }) => [...options, ...(modifiers ?? [])])), ...SHARED],
    operands: ["symbol"],
    examples: VIEWS.flatMap(({ examples }) => examples ?? []),
    differences: VIEWS.flatMap(({ differences }) => differences ?? []),
  },
  run(session, args) {
    const view = chosenView(args);
    const data = view.run(session, args);
    return { view, data, toJSON: () => data };
  },
  text: ({ view, data }, layout) => view.text(data, layout),
  api: (session, args) => chosenView(args).api?.(session, args),
});

/** Throws UsageError when the options name none or more than one. */
function chosenView(args: ParsedArguments): KmemView {
  const named = VIEWS.filter(({ options }) => options.some(({ flag }) => args.has(flag)));
  const [view, other] = named;
  if (view !== undefined && other !== undefined)
    throw new UsageError(`kmem: ${given(view, args)} and ${given(other, args)} are different views: one at a time`);
  const stray = VIEWS.find((each) => each !== view && each.modifiers?.some(({ flag }) => args.has(flag)));
  const modifier = stray?.modifiers?.find(({ flag }) => args.has(flag) && !view?.modifiers?.some((own) => own.flag === flag));
  if (stray !== undefined && modifier !== undefined)
    throw new UsageError(`kmem: ${modifier.flag} goes with ${stray.options.map(({ flag }) => flag).join(", ")}`);
  if (view !== undefined) return view;
  const lookUp = VIEWS.find(({ options }) => options.length === 0);
  if (lookUp === undefined || args.operands.length === 0) throw new UsageError("kmem: an option or an address is needed: see help kmem");
  return lookUp;
}

function given({ options }: KmemView, args: ParsedArguments): string {
  return options.find(({ flag }) => args.has(flag))?.flag ?? "";
}
