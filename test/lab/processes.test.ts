/**
 * What the guest said of its processes and of itself, against the commands and the linux floor: sizes, mappings, arguments, environment,
 * limits; memory, version, load, uptime; sections and taints of the modules. One dump of each case with all its memory, and one that
 * makedumpfile has filtered.
 */
import { describe, test } from "vitest";
import { type CachedCase, cachedCases, type LabDump } from "../../lab/case-record.ts";
import { truthOf } from "../../lab/truth.ts";
import { openKernel } from "../../src/kernel/open.ts";
import { checkLimits, checkMachine, checkMappings, checkModuleSections, checkSizes, checkStrings } from "../support/guest-processes.ts";

/** ELF files and uncompressed images hold user memory; makedumpfile -d 31 leaves it out. */
const isFiltered = (dump: LabDump) => /d31/.test(dump.name);
const chosen = (lab: CachedCase) =>
  [lab.dumps.find((dump) => dump.format !== "raw" && !isFiltered(dump)), lab.dumps.find(isFiltered)].filter((dump) => dump !== undefined);

describe.each(cachedCases().map((lab) => [lab.id, lab] as const))("%s", (_id, lab) => {
  const truth = truthOf(lab);

  test.each(chosen(lab).map((dump) => [dump.name, dump] as const))("%s", async (_name, dump) => {
    const kernel = await openKernel(dump.files);
    try {
      checkSizes(kernel, truth);
      checkMappings(kernel, truth);
      checkStrings(kernel, truth, isFiltered(dump));
      checkLimits(kernel, truth);
      checkMachine(kernel, truth);
      checkModuleSections(kernel, truth);
    } finally {
      kernel.dump.close();
    }
  });
});
