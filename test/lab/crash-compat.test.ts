/**
 * crash's habits keep working: some 400 command lines in crash 9 (with its vmlinux) and in Inquest (without) on the same dump. Every answer
 * is crash's, or is listed in crash-compat-table.ts with the reason why not. Needs the peers (`lab peers`) and a case's vmlinux
 * (`lab make --case 6.1-amd64-null --dbg`).
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { dumpNamed, loadCase } from "../../lab/case-record.ts";
import { cachedPeers } from "../../lab/peers.ts";
import { openKernel } from "../../src/kernel/open.ts";
import { normal } from "./crash-compat-difference.ts";
import { askCrash, askInquest, fillPlaces } from "./crash-compat-run.ts";
import { COMPAT_LINES } from "./crash-compat-table.ts";

const peers = cachedPeers();
/** Cases whose vmlinux is in the cache. */
const cases = ["5.10-amd64-null", "6.1-amd64-null", "6.12-amd64-null"].flatMap((id) => {
  const lab = loadCase(id);
  return lab?.vmlinux === undefined || !existsSync(lab.vmlinux)
    ? []
    : [{ id, dump: dumpNamed(lab, "elf").files[0] as string, vmlinux: lab.vmlinux }];
});
const program = join(import.meta.dirname, "../../bin/inquest");

/** What differs, short enough to read in a test's output. */
function firstDifference(crash: string, inquest: string): string {
  const [theirs, own] = [crash.split("\n"), inquest.split("\n")];
  const at = theirs.findIndex((line, index) => line !== own[index]);
  const index = at < 0 ? theirs.length : at;
  return `line ${index + 1}: crash ${JSON.stringify(theirs[index])}, inquest ${JSON.stringify(own[index])}`;
}

describe.skipIf(peers === undefined || cases.length === 0)("crash's habits", () => {
  test.each(cases)("on $id every line is answered as crash answers it, or differs as listed", async ({ id, dump, vmlinux }) => {
    if (peers === undefined) return;
    const kernel = await openKernel([dump]);
    const fill = fillPlaces(kernel);
    const lines = COMPAT_LINES.map(({ line }) => fill(line));
    kernel.dump.close();
    const inquest = askInquest(program, dump, lines);
    const crash = await askCrash(peers, vmlinux, dump, lines);
    const wrong = COMPAT_LINES.flatMap(({ differs }, index) => {
      const theirs = normal(crash[index] as string);
      const own = normal(inquest[index] as string);
      const line = lines[index] as string;
      if (differs === undefined) return theirs === own ? [] : [`${line}: ${firstDifference(theirs, own)}`];
      if (theirs === own) return differs.sometimes ? [] : [`${line}: is equal, but listed as different (${differs.why})`];
      return differs.holds(theirs, own) ? [] : [`${line}: differs in more than listed (${differs.why}); ${firstDifference(theirs, own)}`];
    });
    const equal = lines.filter((_line, index) => normal(crash[index] as string) === normal(inquest[index] as string)).length;
    console.log(`crash compatibility, ${id}: ${equal} of ${lines.length} lines equal, the others differ as listed`);
    expect(wrong).toEqual([]);
  });
});
