/** `kmem`: the kernel's memory from many sides; each option is a view in kmem/. */
import { UsageError } from "../bytes/errors.ts";
import { defineCommand } from "./command.ts";
import { perCpuOffsets } from "./kmem/per-cpu-offsets.ts";
import type { KmemView } from "./kmem/view.ts";

/** The first whose option is given answers. One a line, so that additions do not collide. */
// biome-ignore format: one a line
const VIEWS: readonly KmemView[] = [
  perCpuOffsets,
];

export interface KmemResult {
  /** Option that chose the view. */
  readonly view: string;
  readonly data: unknown;
  toJSON(): unknown;
}

export const kmem = defineCommand<KmemResult>({
  spec: {
    name: "kmem",
    summary: "kernel memory",
    synopsis: ["-o"],
    description: ["Shows the kernel's memory: each option is a view of its own."],
    options: VIEWS.flatMap(({ options }) => options),
    operands: ["symbol"],
    examples: [["kmem -o", "where each CPU's per-CPU data lies"]],
  },
  run(session, args) {
    const view = VIEWS.find(({ options }) => options.some(({ flag }) => args.has(flag)));
    if (view === undefined) throw new UsageError("kmem: an option is needed: see help kmem");
    const data = view.run(session, args);
    return { view: view.options[0]?.flag ?? "", data, toJSON: () => data };
  },
  *text({ view, data }, layout) {
    const chosen = VIEWS.find(({ options }) => options[0]?.flag === view);
    if (chosen !== undefined) yield* chosen.text(data, layout);
  },
  api: (session, args) => VIEWS.find(({ options }) => options.some(({ flag }) => args.has(flag)))?.api?.(session, args),
});
