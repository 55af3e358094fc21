/**
 * What the guest said of its processes' files and mappings (/proc/PID/{fd,cwd,exe,root,maps}, /proc/mounts) against the linux floor, on
 * every cached case: all kernels, both machines.
 */
import { afterAll, describe, expect, test } from "vitest";
import { type CachedCase, cachedCases } from "../../lab/case-record.ts";
import { truthOf } from "../../lab/truth.ts";
import { openKernel } from "../../src/kernel/open.ts";
import { checkDirectories, checkMaps, checkMounts, checkOpenFiles, checkPagePlaces } from "../support/guest-files.ts";

/** A dump with its user memory; any other where there is none: the kernel's own structures are in all. */
const chosen = (lab: CachedCase) => lab.dumps.find(({ format, name }) => format !== "raw" && !/d31/.test(name)) ?? lab.dumps[0];

const compared = { files: 0, mappings: 0, pages: 0 };
afterAll(() => {
  console.log(`${compared.files} open files, ${compared.mappings} mappings and ${compared.pages} pages are as the guests said`);
  if (cachedCases().length > 0) expect(Math.min(compared.files, compared.mappings)).toBeGreaterThan(0);
});

describe.each(cachedCases().map((lab) => [lab.id, lab] as const))("%s", (_id, lab) => {
  const dump = chosen(lab);

  test.skipIf(dump === undefined)("files, directories, mappings and mounts", async () => {
    const kernel = await openKernel(dump?.files ?? []);
    const truth = truthOf(lab);
    try {
      if (!kernel.types.present) return;
      compared.files += checkOpenFiles(kernel, truth);
      compared.pages += checkPagePlaces(kernel, truth);
      compared.mappings += checkMaps(kernel, truth);
      checkDirectories(kernel, truth);
      checkMounts(kernel, truth);
    } finally {
      kernel.dump.close();
    }
  });
});
