/**
 * Every dump of every case in the cache, in every format, against the guest's own word: tasks, modules, symbols, mounts, log. The answers
 * are those of the commands, as a program would read them.
 */
import { describe, expect, test } from "vitest";
import { type CachedCase, cachedCases, type LabDump } from "../../lab/case-record.ts";
import { SCENARIOS } from "../../lab/scenarios.ts";
import { truthOf } from "../../lab/truth.ts";
import { createSession } from "../../src/commands/session.ts";
import { openKernel } from "../../src/kernel/open.ts";
import { ask, checkLog, checkModules, checkMounts, checkSymbols, checkTasks } from "../support/guest-word.ts";

/** Raw memory needs the address of its first byte. */
function pathsOf(dump: LabDump): readonly string[] {
  return dump.format === "raw" ? dump.files.map((file) => `${file}@${(dump.address ?? 0).toString(16)}`) : dump.files;
}

describe.each(cachedCases().map((lab) => [lab.id, lab] as const))("%s", (_id, lab: CachedCase) => {
  const truth = truthOf(lab);
  const everyTask = SCENARIOS.find((scenario) => scenario.name === lab.scenario)?.taskLimit === undefined;

  test.each(lab.dumps.map((dump) => [dump.name, dump] as const))("%s", async (_name, dump) => {
    const session = createSession(await openKernel(pathsOf(dump)));
    try {
      expect(ask<{ release: string; cpus: number }>(session, "sys")).toMatchObject({ release: lab.release, cpus: 2 });
      checkTasks(session, truth, everyTask);
      checkModules(session, truth);
      checkSymbols(session, truth);
      checkMounts(session, truth);
      checkLog(session, truth);
    } finally {
      session.kernel.dump.close();
    }
  });
});
