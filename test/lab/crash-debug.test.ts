/**
 * Structures, expressions, lists and trees with a vmlinux: some 400 command lines in crash 9 and in Inquest on the same dump and vmlinux.
 * Every answer is crash's, or is listed in crash-debug-table.ts with the reason why not; and where the dump's own types are enough,
 * Inquest without the vmlinux prints the very same. Needs the peers (`lab peers`) and a case's vmlinux (`lab make --case 6.1-amd64-null
 * --dbg`).
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { dumpNamed, loadCase } from "../../lab/case-record.ts";
import { cachedPeers } from "../../lab/peers.ts";
import { openKernel } from "../../src/kernel/open.ts";
import { normal } from "./crash-compat-difference.ts";
import { askCrash, askInquest, fillPlaces } from "./crash-compat-run.ts";
import { DEBUG_SECTIONS } from "./crash-debug-table.ts";

const peers = cachedPeers();
const program = join(import.meta.dirname, "../../bin/inquest");
const cases = ["6.1-amd64-null", "6.12-amd64-null"].flatMap((id) => {
  const lab = loadCase(id);
  return lab?.vmlinux === undefined || !existsSync(lab.vmlinux)
    ? []
    : [{ id, dump: dumpNamed(lab, "elf").files[0] as string, vmlinux: lab.vmlinux }];
});
const runs = cases.flatMap((each) => DEBUG_SECTIONS.map(([section, table]) => ({ ...each, section, table })));

/** The first line that differs, short enough to read in a test's output. */
function firstDifference(a: string, b: string): string {
  const [left, right] = [a.split("\n"), b.split("\n")];
  const at = left.findIndex((line, index) => line !== right[index]);
  const index = at < 0 ? left.length : at;
  return `line ${index + 1}: ${JSON.stringify(left[index])} against ${JSON.stringify(right[index])}`;
}

describe.skipIf(peers === undefined || cases.length === 0)("with a vmlinux", () => {
  test.each(runs)(
    "$id, $section: crash's answers, and the same ones without the vmlinux",
    async ({ id, dump, vmlinux, section, table }) => {
      if (peers === undefined) return;
      const kernel = await openKernel([dump]);
      const fill = fillPlaces(kernel);
      const lines = table.map(({ line }) => fill(line));
      kernel.dump.close();
      const inquest = askInquest(program, dump, lines, vmlinux).map(normal);
      const alone = askInquest(program, dump, lines).map(normal);
      const crash = (await askCrash(peers, vmlinux, dump, lines)).map(normal);
      const wrong = table.flatMap(({ differs, alone: needsNothing }, index) => {
        const [theirs, own, line] = [crash[index] as string, inquest[index] as string, lines[index] as string];
        const without = alone[index] as string;
        const same = needsNothing && without !== own ? [`${line}: without the vmlinux ${firstDifference(own, without)}`] : [];
        if (differs === undefined) return theirs === own ? same : [...same, `${line}: ${firstDifference(theirs, own)}`];
        if (theirs === own) return differs.sometimes ? same : [...same, `${line}: is equal, but listed as different (${differs.why})`];
        return differs.holds(theirs, own)
          ? same
          : [...same, `${line}: differs in more than listed (${differs.why}); ${firstDifference(theirs, own)}`];
      });
      const equal = crash.filter((answer, index) => answer === inquest[index]).length;
      console.log(`with a vmlinux, ${id}, ${section}: ${equal} of ${lines.length} lines equal, the others differ as listed`);
      expect(wrong).toEqual([]);
    },
  );
});
