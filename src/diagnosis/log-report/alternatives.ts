/**
 * What else a report's text allows, and what speaks against it. Only what the words leave open: a class that the kernel checked itself has
 * no alternative but the mistakes that look the same to the check.
 */
import type { Alternative, VerdictClass } from "../verdict.ts";
import { inAllocator, isPoison } from "./classify.ts";
import type { LogReport } from "./report.ts";

type Open = (report: LogReport) => readonly Alternative[];

const possible = (name: VerdictClass, title: string, refutedBy?: string): Alternative => ({
  class: name,
  title,
  confidence: "possible",
  ...(refutedBy === undefined ? {} : { refutedBy }),
});

/** Eight bytes of printable text. */
function isText(value: bigint): boolean {
  let printable = 0;
  for (let at = 0n; at < 64n; at += 8n) {
    const byte = (value >> at) & 0xffn;
    if (byte >= 0x20n && byte < 0x7fn) printable++;
  }
  return printable >= 7;
}

const wild: Open = (report) => (inAllocator(report) ? FREE_LIST : wildPointer(report));

const FREE_LIST: readonly Alternative[] = [
  possible("freelist-corruption", "an object was written to after it had been freed, where the list of free objects goes through it"),
  possible("out-of-bounds", "a write behind the end of a neighbour reached the free object"),
  possible("double-free", "an object was freed twice and stands on the list twice"),
];

const wildPointer: Open = ({ faultAddress }) => [
  possible(
    "use-after-free",
    "the pointer was read from an object that had been freed and used again",
    faultAddress !== undefined && !isPoison(faultAddress)
      ? "the address is no poison; without slab_debug freed memory carries none"
      : undefined,
  ),
  ...(faultAddress !== undefined && isText(faultAddress)
    ? [possible("overwritten-pointer", "text was written over the pointer: its bytes are printable")]
    : [possible("overwritten-pointer", "a neighbour wrote over the pointer")]),
  possible(
    "type-confusion",
    "the object is of another, smaller type than the code takes it for",
    "only the object's slab cache could show it, and a text does not tell it",
  ),
];

/** Where "ret" takes its target from the stack, nothing that is printed tells a return from a call. */
const wildCall: Open = (report) => [
  ...wild(report),
  ...(report.machine === "x86_64" || report.machine === "i386"
    ? [possible("stack-corruption", "a function returned there: its frame had been written over")]
    : []),
];

const OPEN: Readonly<Partial<Record<VerdictClass, Open>>> = {
  "wild-pointer": wild,
  "wild-call": wildCall,
  "use-after-free": ({ family, faultAddress }) =>
    family === "oops" && faultAddress !== undefined && isPoison(faultAddress)
      ? [possible("list-corruption", "an entry was unlinked twice, or a loop went on from an entry that its body had unlinked")]
      : [],
  "null-pointer-dereference": ({ faultAddress }) =>
    faultAddress !== undefined && faultAddress >= 4096n
      ? [possible("wild-pointer", "the offset is large: the base may have been a small number that is no pointer")]
      : [],
  "out-of-bounds": ({ family, traces }) =>
    family === "kasan"
      ? [
          possible(
            "use-after-free",
            "the object was another's when the pointer was taken",
            traces.some(({ name }) => name === "Freed") ? undefined : "no free is told",
          ),
          possible("type-confusion", "a smaller object was taken for a larger one"),
        ]
      : [],
  "refcount-underflow": () => [
    possible("use-after-free", "the counter lies in an object that had been freed and used again", "a freed counter seldom holds just 0"),
  ],
  "hung-task": ({ fields }) => [
    possible("deadlock", "the tasks wait for each other in a circle", "a text does not tell who holds the locks: analyze the dump"),
    ...(typeof fields.owner === "string" ? [possible("lock-held-by-sleeper", `${fields.owner} holds the lock and sleeps`)] : []),
  ],
  "soft-lockup": () => [possible("unknown", "the virtual machine or the console stood still while the CPU was innocent")],
  "rcu-stall": ({ fields }) => [
    possible("soft-lockup", "one CPU loops in the kernel"),
    ...(typeof fields.starved === "number"
      ? [possible("unknown", "the grace-period thread got no CPU: too much load, or a paused machine")]
      : []),
  ],
  "memory-leak": () => [possible("unknown", "the object is referenced in a way that kmemleak does not see", "it waits for several scans")],
};

export function alternativesOf(report: LogReport, verdict: VerdictClass): readonly Alternative[] {
  return OPEN[verdict]?.(report) ?? [];
}
