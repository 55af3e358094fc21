/**
 * The table of `net` and `bpf` (crash-commands/net.ts) on guests that have something to show: the scenario "views" with its sockets of every
 * family, neighbours, BPF programs and maps. As crash-commands.test.ts, which runs it on plain guests.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { dumpNamed, loadCase } from "../../lab/case-record.ts";
import { cachedPeers } from "../../lab/peers.ts";
import { NET } from "./crash-commands/net.ts";
import { normal } from "./crash-compat-difference.ts";
import { askCrash, askInquest } from "./crash-compat-run.ts";

const peers = cachedPeers();
const program = join(import.meta.dirname, "../../bin/inquest");
const cases = ["5.10-amd64-views", "6.1-amd64-views", "6.12-amd64-views"].flatMap((id) => {
  const lab = loadCase(id);
  return lab?.vmlinux === undefined || !existsSync(lab.vmlinux)
    ? []
    : [{ id, dump: dumpNamed(lab, "elf").files[0] as string, vmlinux: lab.vmlinux }];
});
/** Places of plain guests ({cat}) are not there; other processes are. */
const table = NET.filter(({ line }) => !line.includes("{")).map((each) => ({
  ...each,
  line: each.line.replace("foreach nc", "foreach views"),
}));

describe.skipIf(peers === undefined || cases.length === 0)("net and bpf of crash", () => {
  test.each(cases)("$id", async ({ id, dump, vmlinux }) => {
    if (peers === undefined) return;
    const lines = table.map(({ line }) => line);
    const inquest = askInquest(program, dump, lines);
    const crash = await askCrash(peers, vmlinux, dump, lines);
    let equal = 0;
    const wrong = table.flatMap(({ line, differs }, index) => {
      const [theirs, own] = [normal(crash[index] as string), normal(inquest[index] as string)];
      if (theirs === own) {
        equal++;
        return [];
      }
      if (differs?.holds(theirs, own) === true) return [];
      const at = theirs.split("\n").findIndex((each, row) => each !== own.split("\n")[row]);
      return [`${line}: ${differs?.why ?? "no difference is listed"}: ${theirs.split("\n")[at]} | ${own.split("\n")[at]}`];
    });
    console.log(`net and bpf of crash, ${id}: ${equal} of ${lines.length} lines equal, the others differ as listed`);
    expect(wrong).toEqual([]);
  });
});
