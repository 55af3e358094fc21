/**
 * What the guest said of its processes' files and mappings (/proc/PID/{fd,cwd,exe,root,maps}, /proc/mounts) against the linux floor, on
 * every cached case: all kernels, both machines.
 */
import { describe, test } from "vitest";
import { type CachedCase, cachedCases } from "../../lab/case-record.ts";
import { truthOf } from "../../lab/truth.ts";
import { openKernel } from "../../src/kernel/open.ts";
import { checkDirectories, checkMounts, checkOpenFiles } from "../support/guest-files.ts";

/** A dump with its user memory; any other where there is none: the kernel's own structures are in all. */
const chosen = (lab: CachedCase) => lab.dumps.find(({ format, name }) => format !== "raw" && !/d31/.test(name)) ?? lab.dumps[0];

describe.each(cachedCases().map((lab) => [lab.id, lab] as const))("%s", (_id, lab) => {
  const dump = chosen(lab);

  test.skipIf(dump === undefined)("files, directories and mounts", async () => {
    const kernel = await openKernel(dump?.files ?? []);
    const truth = truthOf(lab);
    try {
      if (!kernel.types.present) return;
      checkOpenFiles(kernel, truth);
      checkDirectories(kernel, truth);
      checkMounts(kernel, truth);
    } finally {
      kernel.dump.close();
    }
  });
});
