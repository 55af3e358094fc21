/** The lab's command line: `npm run lab -- list|make|test|samples|peers`. */
import { parseArgs } from "node:util";
import { loadCase } from "./case-record.ts";
import { allCases, type CasePlan, caseNamed, selectCases } from "./cases.ts";
import { ensureKernel } from "./ensure-kernel.ts";
import { ensureDebug } from "./kernels.ts";
import { ensureCase, ensureModules } from "./make-case.ts";
import { repositoryRoot } from "./paths.ts";
import { ensurePeers } from "./peers.ts";
import { startProcess } from "./process.ts";
import { makeSamples } from "./samples.ts";

const USAGE = `usage: npm run lab -- COMMAND

  list [--all]                      the cases of the matrix and those in the cache (--all: every case there could be)
  make [--suite S] [--arch A] [--case ID]... [--dbg]
                                    make cases (default: the matrix); IDs may hold "*"; --dbg also fetches vmlinux
  test [--suite S] [--arch A]       make the matrix, then run the lab tests
  samples                           remake the dumps in samples/
  peers                             make the chroot with crash, drgn and makedumpfile to compare with
`;

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function list(all: boolean): void {
  for (const plan of allCases()) {
    const made = loadCase(plan.id);
    if (!all && made === undefined && !plan.inMatrix) continue;
    const state = made === undefined ? "-" : `${made.release}, ${made.dumps.map((dump) => dump.name).join(" ")}`;
    say(`${plan.id.padEnd(28)} ${plan.inMatrix ? "matrix" : "extra "}  ${state}`);
    if (all) say(`${"".padEnd(28)} ${plan.scenario.about}`);
  }
}

/** Download and compile ahead while a guest runs; a failure shows when the case itself asks for the same. */
async function prepareAhead(plans: readonly CasePlan[]): Promise<void> {
  for (const plan of plans) {
    await ensureKernel(plan.kernel)
      .then((kernel) => ensureModules(plan, kernel))
      .catch(() => {});
  }
}

async function make(plans: readonly CasePlan[], debug: boolean): Promise<boolean> {
  let failed = 0;
  const ahead = prepareAhead(plans);
  for (const plan of plans) {
    const start = Date.now();
    try {
      const made = await ensureCase(plan);
      if (debug) await ensureDebug(made.kernel);
      say(`${plan.id}: ${made.dumps.length} dumps in ${made.dir} (${((Date.now() - start) / 1000).toFixed(1)} s)`);
    } catch (error) {
      failed++;
      say(`${plan.id}: FAILED: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  await ahead;
  return failed === 0;
}

async function runTests(): Promise<number> {
  const child = startProcess("npx", ["vitest", "run", "--config", "vitest.lab.config.ts"], ["ignore", 1, 2], { cwd: repositoryRoot() });
  return new Promise((resolve) => child.once("close", (status) => resolve(status ?? 1)));
}

async function main(): Promise<number> {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: {
      all: { type: "boolean", default: false },
      suite: { type: "string" },
      arch: { type: "string" },
      case: { type: "string", multiple: true },
      dbg: { type: "boolean", default: false },
    },
  });
  const plans = () => {
    const { suite, arch, case: ids } = values;
    for (const id of ids ?? []) if (!id.includes("*")) caseNamed(id);
    return selectCases({ ...(suite && { suite }), ...(arch && { arch }), ...(ids && { ids }) });
  };
  switch (positionals[0]) {
    case "list":
      list(values.all);
      return 0;
    case "make":
      return (await make(plans(), values.dbg)) ? 0 : 1;
    case "test":
      if (!(await make(plans(), values.dbg))) return 1;
      return runTests();
    case "samples":
      for (const line of await makeSamples()) say(line);
      return 0;
    case "peers":
      say((await ensurePeers()).root);
      return 0;
    default:
      process.stderr.write(USAGE);
      return 2;
  }
}

process.exitCode = await main();
