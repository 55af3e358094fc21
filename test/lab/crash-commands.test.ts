/**
 * Every command of crash 9 with each of its options, in crash (with its vmlinux) and in Inquest (without) on dumps of three kernels. The
 * answers are equal, or listed with the reason why not in crash-commands/, one table a subject. Places that `{name}` stands for are those
 * of crash-compat-run.ts. Needs the peers (`lab peers`) and the vmlinux of each kernel (`lab make --case 5.10-amd64-null --dbg`).
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { dumpNamed, loadCase } from "../../lab/case-record.ts";
import { cachedPeers } from "../../lab/peers.ts";
import { openKernel } from "../../src/kernel/open.ts";
import { COMMAND_TABLES } from "./crash-commands/index.ts";
import { normal } from "./crash-compat-difference.ts";
import { askCrash, askInquest, fillPlaces } from "./crash-compat-run.ts";

const peers = cachedPeers();
const cases = ["5.10-amd64-null", "6.1-amd64-null", "6.12-amd64-null"].flatMap((id) => {
  const lab = loadCase(id);
  return lab?.vmlinux === undefined || !existsSync(lab.vmlinux)
    ? []
    : [{ id, dump: dumpNamed(lab, "elf").files[0] as string, vmlinux: lab.vmlinux }];
});
const program = join(import.meta.dirname, "../../bin/inquest");
const subjects = cases.flatMap((made) => Object.entries(COMMAND_TABLES).map(([subject, lines]) => ({ ...made, subject, lines })));

/** The first line that differs, short enough to read in a test's output. */
function firstDifference(crash: string, inquest: string): string {
  const [theirs, own] = [crash.split("\n"), inquest.split("\n")];
  const at = theirs.findIndex((line, index) => line !== own[index]);
  const index = at < 0 ? theirs.length : at;
  return `line ${index + 1}: crash ${JSON.stringify(theirs[index])}, inquest ${JSON.stringify(own[index])}`;
}

describe.skipIf(peers === undefined || cases.length === 0)("crash's commands", () => {
  test.each(subjects)("$subject on $id", async ({ id, subject, dump, vmlinux, lines: table }) => {
    if (peers === undefined) return;
    const kernel = await openKernel([dump]);
    const fill = fillPlaces(kernel);
    const lines = table.map(({ line }) => fill(line));
    kernel.dump.close();
    const inquest = askInquest(program, dump, lines);
    const crash = await askCrash(peers, vmlinux, dump, lines);
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
    console.log(`crash's commands, ${subject}, ${id}: ${equal} of ${lines.length} lines equal, the others differ as listed`);
    expect(wrong).toEqual([]);
  });
});
