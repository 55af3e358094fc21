/** Timing whole programs: several runs, in turn with a second program so that a drifting machine drifts for both, medians. */
import { spawnSync } from "node:child_process";

export interface Sample {
  /** Wall time of each counted run, in milliseconds. */
  readonly milliseconds: readonly number[];
}

/** Median; NaN of nothing. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? (sorted[middle] as number) : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}

/** Runs each contender in turn, `runs` times after one run that is not counted. */
export async function inTurn(
  runs: number,
  contenders: Readonly<Record<string, () => void | Promise<void>>>,
): Promise<ReadonlyMap<string, Sample>> {
  const taken = new Map(Object.keys(contenders).map((name) => [name, [] as number[]]));
  for (let round = 0; round <= runs; round++) {
    for (const [name, action] of Object.entries(contenders)) {
      const start = performance.now();
      await action();
      if (round > 0) taken.get(name)?.push(performance.now() - start);
    }
  }
  return new Map([...taken].map(([name, milliseconds]) => [name, { milliseconds }]));
}

/** Runs the built program; throws with what it said when it fails. */
export function inquest(args: readonly string[]): string {
  const run = spawnSync(process.execPath, ["bin/inquest", ...args], { encoding: "utf8", maxBuffer: 1 << 28 });
  if (run.status !== 0) throw new Error(`inquest ${args.join(" ")} ended with ${run.status}: ${run.stderr.slice(0, 500)}`);
  return run.stdout;
}

/** Largest resident memory of a run in MiB, by GNU time. */
export function residentMiB(args: readonly string[]): number {
  const run = spawnSync("/usr/bin/time", ["-f", "%M", process.execPath, "bin/inquest", ...args], { encoding: "utf8", maxBuffer: 1 << 28 });
  const kilobytes = Number(run.stderr.trim().split("\n").at(-1));
  if (run.status !== 0 || !Number.isFinite(kilobytes)) throw new Error(`time inquest ${args.join(" ")}: ${run.stderr.slice(0, 500)}`);
  return kilobytes / 1024;
}
