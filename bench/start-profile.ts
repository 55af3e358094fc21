/** Where a start spends its time: V8's own sampling profile of one run, added up by what the functions belong to. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

interface CpuProfile {
  readonly nodes: readonly { readonly id: number; readonly callFrame: { readonly functionName: string; readonly url: string } }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

/** Milliseconds of self time by function, largest first. */
export function startProfile(args: readonly string[]): readonly (readonly [name: string, milliseconds: number])[] {
  const dir = mkdtempSync(join(tmpdir(), "inquest-profile-"));
  try {
    spawnSync(process.execPath, ["--cpu-prof", `--cpu-prof-dir=${dir}`, "--cpu-prof-interval", "100", "bin/inquest", ...args], {
      stdio: "ignore",
    });
    const file = readdirSync(dir).find((name) => name.endsWith(".cpuprofile"));
    if (file === undefined) throw new Error("the profiled run left no profile");
    const profile = JSON.parse(readFileSync(join(dir, file), "utf8")) as CpuProfile;
    const byId = new Map(profile.nodes.map((node) => [node.id, node.callFrame]));
    const total = new Map<string, number>();
    for (const [i, id] of profile.samples.entries()) {
      const frame = byId.get(id);
      const own = frame?.url.endsWith("inquest.cjs") === true;
      const name =
        frame === undefined
          ? "?"
          : own
            ? frame.functionName || "(anonymous)"
            : frame.url.startsWith("node:")
              ? "(node)"
              : frame.functionName || "(node)";
      total.set(name, (total.get(name) ?? 0) + (profile.timeDeltas[i] ?? 0) / 1000);
    }
    return [...total].sort((a, b) => b[1] - a[1]);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
