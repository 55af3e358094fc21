/** A table of command lines, asked of crash and of Inquest on one dump, and what of it is not as listed. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { dumpNamed, loadCase } from "../../lab/case-record.ts";
import type { Peers } from "../../lab/peers.ts";
import { openKernel } from "../../src/kernel/open.ts";
import { type CompatLine, normal } from "./crash-compat-difference.ts";
import { askCrash, askInquest, fillPlaces } from "./crash-compat-run.ts";

export interface CompatCase {
  readonly id: string;
  readonly dump: string;
  readonly vmlinux: string;
}

/** Of the cases those whose vmlinux is in the cache. */
export function compatCases(...ids: readonly string[]): CompatCase[] {
  return ids.flatMap((id) => {
    const lab = loadCase(id);
    return lab?.vmlinux === undefined || !existsSync(lab.vmlinux)
      ? []
      : [{ id, dump: dumpNamed(lab, "elf").files[0] as string, vmlinux: lab.vmlinux }];
  });
}

const program = join(import.meta.dirname, "../../bin/inquest");

/** Asks both, crash with its vmlinux and Inquest without. Gives the lines that are not as listed, and how many are equal. */
export async function compare(peers: Peers, made: CompatCase, table: readonly CompatLine[]): Promise<{ wrong: string[]; equal: number }> {
  const kernel = await openKernel([made.dump]);
  const fill = fillPlaces(kernel);
  const lines = table.map(({ line }) => fill(line));
  kernel.dump.close();
  const inquest = askInquest(program, made.dump, lines);
  const crash = await askCrash(peers, made.vmlinux, made.dump, lines);
  let equal = 0;
  const wrong = table.flatMap(({ differs }, index) => {
    const [theirs, own, line] = [normal(crash[index] as string), normal(inquest[index] as string), lines[index] as string];
    if (theirs === own) {
      equal++;
      return differs === undefined || differs.sometimes === true ? [] : [`${line}: is equal, but listed as different (${differs.why})`];
    }
    if (differs === undefined) return [`${line}: ${firstDifference(theirs, own)}`];
    return differs.holds(theirs, own) ? [] : [`${line}: differs in more than listed (${differs.why}); ${firstDifference(theirs, own)}`];
  });
  return { wrong, equal };
}

/** What differs, short enough to read in a test's output. */
function firstDifference(crash: string, inquest: string): string {
  const [theirs, own] = [crash.split("\n"), inquest.split("\n")];
  const at = theirs.findIndex((line, index) => line !== own[index]);
  const index = at < 0 ? theirs.length : at;
  return `line ${index + 1}: crash ${JSON.stringify(theirs[index])}, inquest ${JSON.stringify(own[index])}`;
}
