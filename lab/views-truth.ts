/**
 * What the module and the user program of the scenario "views" tell of the objects they built:
 *
 *   LABVIEW kind name address key=value ...        (lab/views/module/views.h, lab/views/guest/views.h)
 */
import type { Truth } from "./truth.ts";

export interface ViewTruth {
  readonly kind: string;
  readonly name: string;
  /** Of a kernel object, or of the user program's own memory; undefined where there is none ("-"). */
  readonly address: bigint | undefined;
  readonly fields: ReadonlyMap<string, string>;
  /** The kernel's word or the user program's. */
  readonly from: "kernel" | "user";
}

/** The lines of one text. */
export function parseViews(text: string, from: ViewTruth["from"]): ViewTruth[] {
  return text.split("\n").flatMap((line) => {
    const [mark, kind, name, address, ...rest] = line.split(" ");
    if (mark !== "LABVIEW" || kind === undefined || name === undefined || address === undefined) return [];
    const fields = rest.flatMap((pair): [string, string][] => {
      const at = pair.indexOf("=");
      return at < 0 ? [] : [[pair.slice(0, at), pair.slice(at + 1)]];
    });
    return [{ kind, name, address: address === "-" ? undefined : BigInt(`0x${address}`), fields: new Map(fields), from }];
  });
}

/** Everything that was told of in a guest, the kernel's objects first; empty for other scenarios. */
export function viewsOf(truth: Truth): ViewTruth[] {
  return [...parseViews(truth.files.read("proc/lab_views") ?? "", "kernel"), ...parseViews(truth.files.read("views") ?? "", "user")];
}

/** A field as a number; throws when the line has none, so that a misspelt name does not pass for an empty truth. */
export function numberField(view: ViewTruth, name: string): number {
  const text = view.fields.get(name);
  if (text === undefined || !/^-?\d+$/.test(text)) throw new Error(`${view.kind} ${view.name}: no number ${name}`);
  return Number(text);
}

/** A field that lists numbers ("12,13"); "-" is none. */
export function numbersField(view: ViewTruth, name: string): number[] {
  const text = view.fields.get(name);
  if (text === undefined) throw new Error(`${view.kind} ${view.name}: no field ${name}`);
  return text === "-" ? [] : text.split(",").map(Number);
}
