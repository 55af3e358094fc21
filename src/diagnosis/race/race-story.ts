/** What the sharers of a fault's objects are told as. */
import { hex16, virtual } from "../../bytes/address.ts";
import type { Sharer } from "../verdict.ts";

const SHOWN = 3;

/** One line for each of the first few; running ones are said to be where a race may come from. */
export function raceStory(sharers: readonly Sharer[], guilty: string | undefined): readonly string[] {
  return sharers.slice(0, SHOWN).map((each) => {
    const what = each.type ?? `an object of ${each.cache}`;
    const where = `${each.function}${each.offset === undefined ? "" : `+0x${each.offset.toString(16)}`}`;
    const has = `with a pointer to ${hex16(virtual(each.object))} (${what}), which ${guilty ?? "the faulting code"} has in hand too`;
    if (!each.running) return `Task ${each.pid} (${each.comm}) sleeps in ${where} ${has}.`;
    const same = guilty !== undefined && each.function === guilty ? ", the same function" : "";
    return `At the same time task ${each.pid} (${each.comm}) was in ${where}${same} on CPU ${each.cpu ?? "?"} ${has}: a race is possible.`;
  });
}
