/**
 * `npm run bench`: Inquest beside drgn and crash on the same dumps in one run, as ratios; prints Markdown, and with --write keeps it in
 * bench/results.md. Needs the lab's cases 6.1-amd64-null (with vmlinux) and 6.1-amd64-many, those of views.ts, and the peers; makes
 * what is missing.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import { caseNamed } from "../lab/cases.ts";
import { ensureDebug } from "../lab/kernels.ts";
import { ensureCase } from "../lab/make-case.ts";
import { ensurePeers, runCrash, runDrgn } from "../lab/peers.ts";
import { framesBench } from "./frames.ts";
import { inquest, inTurn, median, residentMiB } from "./measure.ts";
import { startProfile } from "./start-profile.ts";
import { verdictsBench } from "./verdicts.ts";
import { viewsBench } from "./views.ts";

const RUNS = 7;
/** What drgn is asked: the facts of `sys` and the stack of the task that died, printed. */
const DRGN_SCRIPT = `
from drgn.helpers.linux.sched import loadavg
from drgn.helpers.linux.pid import for_each_task
from drgn.helpers.linux.panic import panic_message
print(prog["init_uts_ns"].name, loadavg(prog), sum(1 for _ in for_each_task(prog)))
print(panic_message(prog))
print(prog.crashed_thread().stack_trace())
`;
const DRGN_ALL_STACKS = `
from drgn.helpers.linux.pid import for_each_task
for task in for_each_task(prog):
    try:
        print(prog.stack_trace(task))
    except ValueError as error:
        print(error)
`;

const lines: string[] = [];
function say(line = ""): void {
  lines.push(line);
  process.stdout.write(`${line}\n`);
}

function row(name: string, milliseconds: readonly number[], against?: readonly number[]): void {
  const ratio = against === undefined ? "" : (median(milliseconds) / median(against)).toFixed(2);
  say(`| ${name} | ${(median(milliseconds) / 1000).toFixed(3)} | ${(Math.min(...milliseconds) / 1000).toFixed(3)} | ${ratio} |`);
}

async function start(): Promise<void> {
  const made = await ensureCase(caseNamed("6.1-amd64-null"));
  const vmlinux = await ensureDebug(made.kernel);
  const peers = await ensurePeers();
  const dump = made.dumps.find((candidate) => candidate.name === "elf")?.files[0] as string;
  const question = [dump, "-c", "sys", "-c", "bt"];
  const taken = await inTurn(RUNS, {
    inquest: () => void inquest(question),
    drgn: async () => {
      const run = await runDrgn(peers, vmlinux, dump, DRGN_SCRIPT);
      if (run.status !== 0) throw new Error(run.stderr);
    },
    crash: async () => void (await runCrash(peers, vmlinux, dump, ["sys", "bt"])),
  });
  const [own, drgn, crash] = ["inquest", "drgn", "crash"].map((name) => taken.get(name)?.milliseconds ?? []) as [
    number[],
    number[],
    number[],
  ];
  say(`## First answer: \`-c sys -c bt\`, hypervisor ELF dump of ${made.release}, 256 MiB`);
  say();
  say("| program | median s | least s | Inquest's time as a share |");
  say("|---|---|---|---|");
  row("Inquest, no vmlinux", own);
  say(
    `| drgn 0.3 with vmlinux | ${(median(drgn) / 1000).toFixed(3)} | ${(Math.min(...drgn) / 1000).toFixed(3)} | ${(median(own) / median(drgn)).toFixed(2)} (target 0.60) |`,
  );
  say(
    `| crash 9 with vmlinux | ${(median(crash) / 1000).toFixed(3)} | ${(Math.min(...crash) / 1000).toFixed(3)} | ${(median(own) / median(crash)).toFixed(3)} (target 0.06) |`,
  );
  say();
  say(`Resident memory of Inquest: ${residentMiB(question).toFixed(0)} MiB (target 130).`);
  say();
  say("## Start-up profile");
  say();
  say("Self time in one run under V8's sampling profiler (which slows it down), milliseconds; functions under 1 ms left out.");
  say();
  for (const [name, milliseconds] of startProfile(question)) if (milliseconds >= 1) say(`- ${milliseconds.toFixed(1)} ${name}`);
  say();
}

async function manyStacks(): Promise<void> {
  const made = await ensureCase(caseNamed("6.1-amd64-many"));
  const vmlinux = await ensureDebug(made.kernel);
  const peers = await ensurePeers();
  const dump = made.dumps.find((candidate) => candidate.name === "elf")?.files[0] as string;
  const stacks = JSON.parse(inquest([dump, "--json", "-c", "foreach bt"])) as { result: { stacks: unknown[] } };
  const taken = await inTurn(3, {
    inquest: () => void inquest([dump, "-c", "foreach bt"]),
    drgn: async () => void (await runDrgn(peers, vmlinux, dump, DRGN_ALL_STACKS, 300_000)),
  });
  say(`## \`foreach bt\` over ${stacks.result.stacks.length} tasks, ${made.release}`);
  say();
  say("| program | median s | least s | Inquest's time as a share |");
  say("|---|---|---|---|");
  row("Inquest, no vmlinux (target 2 s)", taken.get("inquest")?.milliseconds ?? []);
  const drgn = taken.get("drgn")?.milliseconds ?? [];
  say(
    `| drgn 0.3 with vmlinux | ${(median(drgn) / 1000).toFixed(3)} | ${(Math.min(...drgn) / 1000).toFixed(3)} | ${(median(taken.get("inquest")?.milliseconds ?? []) / median(drgn)).toFixed(2)} |`,
  );
  say();
}

interface NameRun {
  readonly wall: number;
  readonly user: number;
  readonly system: number;
  readonly resident: number;
  readonly size: number;
}

/** One run of bench/name-index.ts. */
function nameRun(mode: string, vmlinux: string, cache: string): NameRun {
  const run = spawnSync(process.execPath, ["dist/bench/name-index.js", mode, vmlinux], {
    encoding: "utf8",
    env: { ...process.env, INQUEST_CACHE_DIR: cache },
  });
  if (run.status !== 0) throw new Error(run.stderr);
  return JSON.parse(run.stdout) as NameRun;
}

/** Entries by name in a vmlinux: the index, one name without it, and drgn, which makes its own index at each start. */
async function names(): Promise<void> {
  const made = await ensureCase(caseNamed("6.1-amd64-null"));
  const vmlinux = await ensureDebug(made.kernel);
  const peers = await ensurePeers();
  const dump = made.dumps.find((candidate) => candidate.name === "elf")?.files[0] as string;
  const cache = mkdtempSync(join(tmpdir(), "inquest-bench-"));
  try {
    const modes = [
      ["one", "full index, one core (target 2 s of user time)"],
      ["threads", "full index, all cores"],
      ["kept", "kept index read and verified (target 15 ms)"],
      ["struct", "struct task_struct and its members by name, nothing prepared"],
    ] as const;
    nameRun("keep", vmlinux, cache);
    const runs = new Map<string, NameRun[]>(modes.map(([mode]) => [mode, []]));
    const taken = await inTurn(5, {
      inquest: () => {
        for (const [mode] of modes.slice(0, 3)) runs.get(mode)?.push(nameRun(mode, vmlinux, cache));
      },
      struct: () => void runs.get("struct")?.push(nameRun("struct", vmlinux, cache)),
      drgn: async () => {
        const run = await runDrgn(peers, vmlinux, dump, 'print(prog.type("struct task_struct"))');
        if (run.status !== 0) throw new Error(run.stderr);
      },
    });
    say(`## Names in the vmlinux of ${made.release}, .debug_info of ${Math.round((runs.get("one")?.[0]?.size ?? 0) / 1e6)} MB`);
    say();
    say("| what | user ms | system ms | wall ms | resident MiB |");
    say("|---|---|---|---|---|");
    for (const [mode, what] of modes) {
      const of = (field: keyof NameRun) => median((runs.get(mode) ?? []).map((run) => run[field])).toFixed(0);
      say(`| ${what} | ${of("user")} | ${of("system")} | ${of("wall")} | ${of("resident")} |`);
    }
    say();
    say("| program | median s | least s | Inquest's time as a share |");
    say("|---|---|---|---|");
    row("Inquest, struct task_struct from DWARF, whole process", taken.get("struct")?.milliseconds ?? []);
    const [own, drgn] = [taken.get("struct")?.milliseconds ?? [], taken.get("drgn")?.milliseconds ?? []];
    say(
      `| drgn 0.3, prog.type("struct task_struct") | ${(median(drgn) / 1000).toFixed(3)} | ${(Math.min(...drgn) / 1000).toFixed(3)} | ${(median(own) / median(drgn)).toFixed(2)} (target 1.50) |`,
    );
    say();
  } finally {
    rmSync(cache, { recursive: true, force: true });
  }
}

say("# Measured by `npm run bench`");
say();
say(
  `${new Date().toISOString().slice(0, 10)}, ${cpus().length} cores, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}. Wall time of whole programs, run in turn; medians.`,
);
say();
await start();
await manyStacks();
for (const line of await framesBench()) say(line);
await names();
for (const line of await viewsBench()) say(line);
for (const line of await verdictsBench()) say(line);
if (process.argv.includes("--write")) writeFileSync("bench/results.md", `${lines.join("\n").trimEnd()}\n`);
