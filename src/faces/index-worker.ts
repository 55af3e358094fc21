/** The script of a worker thread: builds an index of names, or a share of it (debug-info/dwarf/name-parallel.ts). */
import { serveJob } from "../bytes/worker-pool.ts";
import { runNameJob } from "../debug-info/dwarf/name-parallel.ts";

serveJob(runNameJob);
