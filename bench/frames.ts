/**
 * The first `bt` with debug information: source lines and inlined frames of the stack of the panic, Inquest beside drgn on the same dump
 * and vmlinux, with caches of Inquest's own left out ("cold") and in place.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { caseNamed } from "../lab/cases.ts";
import { ensureDebug } from "../lab/kernels.ts";
import { ensureCase } from "../lab/make-case.ts";
import { ensurePeers, runDrgn } from "../lab/peers.ts";
import { inquest, inTurn, median, residentMiB } from "./measure.ts";

const RUNS = 7;
/** A printed stack has inlined frames and lines. */
const DRGN_STACK = "print(prog.crashed_thread().stack_trace())";

/** Runs with an empty cache directory. */
function withoutCache<T>(action: () => T): T {
  const before = process.env.INQUEST_CACHE_DIR;
  const empty = mkdtempSync(join(tmpdir(), "inquest-bench-"));
  try {
    process.env.INQUEST_CACHE_DIR = empty;
    return action();
  } finally {
    if (before === undefined) delete process.env.INQUEST_CACHE_DIR;
    else process.env.INQUEST_CACHE_DIR = before;
    rmSync(empty, { recursive: true });
  }
}

/** Lines of Markdown. */
export async function framesBench(): Promise<readonly string[]> {
  const made = await ensureCase(caseNamed("6.1-amd64-null"));
  const vmlinux = await ensureDebug(made.kernel);
  const peers = await ensurePeers();
  const dump = made.dumps.find((candidate) => candidate.name === "elf")?.files[0] as string;
  const question = [dump, vmlinux, "-c", "bt -l"];
  const taken = await inTurn(RUNS, {
    cold: () => void withoutCache(() => inquest(question)),
    warm: () => void inquest(question),
    bare: () => void inquest([dump, "-c", "bt"]),
    drgn: async () => {
      const run = await runDrgn(peers, vmlinux, dump, DRGN_STACK);
      if (run.status !== 0) throw new Error(run.stderr);
    },
  });
  const times = (name: string): readonly number[] => taken.get(name)?.milliseconds ?? [];
  const row = (label: string, name: string, target: string): string => {
    const own = median(times(name));
    const share = name === "drgn" ? "" : ` ${(own / median(times("drgn"))).toFixed(2)}${target}`;
    return `| ${label} | ${(own / 1000).toFixed(3)} | ${(Math.min(...times(name)) / 1000).toFixed(3)} |${share} |`;
  };
  return [
    `## First stack with lines and inlined frames: \`-c "bt -l"\`, ${made.release} with its vmlinux`,
    "",
    "| program | median s | least s | Inquest's time as a share |",
    "|---|---|---|---|",
    row("Inquest, no cache", "cold", " (target 1.0)"),
    row("Inquest, from the second start", "warm", " (target 0.5)"),
    row("Inquest, no vmlinux, no lines", "bare", ""),
    row("drgn 0.3", "drgn", ""),
    "",
    `Resident memory of Inquest: ${withoutCache(() => residentMiB(question)).toFixed(0)} MiB cold (target 300), ${residentMiB(question).toFixed(0)} MiB warm (target 200).`,
    "",
  ];
}
