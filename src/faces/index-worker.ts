/** The script of a worker thread: builds an index of names, or a share of it (debug-info/dwarf/name-parallel.ts), or searches memory. */
import { serveJob } from "../bytes/worker-pool.ts";
import { runNameJob } from "../debug-info/dwarf/name-parallel.ts";
import { openDump } from "../dump/open.ts";
import { runSearchJob, type SearchJob } from "../dump/physical-search.ts";

function isSearch(job: unknown): job is SearchJob {
  return typeof job === "object" && job !== null && (job as { readonly kind?: unknown }).kind === "search";
}

void serveJob(async (job) => {
  if (!isSearch(job)) return runNameJob(job);
  const dump = await openDump(job.files);
  try {
    runSearchJob(dump, job);
  } finally {
    dump.close();
  }
  return { value: undefined, transfer: [] };
});
