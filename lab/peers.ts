/**
 * The programs Inquest is compared with: crash, drgn and makedumpfile of Debian's newest suite, in a chroot of their own under the cache.
 */
import { existsSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { debianMirrors } from "./apt.ts";
import { withLock } from "./lock.ts";
import { cacheDir } from "./paths.ts";
import { type RunOptions, type RunResult, run } from "./process.ts";
import { runInRoot } from "./toolchain.ts";

export interface Peers {
  /** The chroot's directory. */
  readonly root: string;
}

const PACKAGES = ["crash", "python3-drgn", "makedumpfile", "kexec-tools"];

/** The chroot when it has been made. */
export function cachedPeers(): Peers | undefined {
  const root = join(cacheDir("peers"), "root");
  return existsSync(join(root, ".done")) ? { root } : undefined;
}

/** The chroot, made (in about 90 s) when the cache does not have it. */
export async function ensurePeers(): Promise<Peers> {
  return withLock("peers", async () => {
    const known = cachedPeers();
    if (known !== undefined) return known;
    const root = join(cacheDir("peers"), "root");
    const partial = `${root}.partial`;
    for (const path of [root, partial]) rmSync(path, { recursive: true, force: true });
    const { main } = await debianMirrors();
    await run("debootstrap", ["--variant=minbase", `--include=${PACKAGES.join(",")}`, "sid", partial, main], { timeoutMs: 900_000 });
    writeFileSync(join(partial, ".done"), "");
    renameSync(partial, root);
    return { root };
  });
}

/**
 * Run a command among the peers. Directories in `see` appear inside the chroot under their own absolute path, so that dump and vmlinux
 * paths mean the same inside and out. Always bounded (`timeoutMs`, default one minute); does not throw on a non-zero exit status.
 */
export async function runPeer(
  peers: Peers,
  command: readonly string[],
  options: Omit<RunOptions, "cwd" | "env"> & { readonly see?: readonly string[] } = {},
): Promise<RunResult> {
  const { see = [], ...rest } = options;
  const binds = see.map((dir) => [dir, dir] as const);
  return runInRoot(peers.root, command, { timeoutMs: 60_000, allowFailure: true, ...rest, binds });
}

/** Run crash on a dump with commands on its standard input. */
export async function runCrash(
  peers: Peers,
  vmlinux: string,
  dump: string,
  commands: readonly string[],
  timeoutMs = 60_000,
): Promise<RunResult> {
  return runPeer(peers, ["crash", "-s", vmlinux, dump], { see: [cacheDir()], input: `${commands.join("\n")}\nquit\n`, timeoutMs });
}

/** Run a Python script under drgn on a dump; `vmlinux` may be left out. */
export async function runDrgn(
  peers: Peers,
  vmlinux: string | undefined,
  dump: string,
  script: string,
  timeoutMs = 60_000,
): Promise<RunResult> {
  const symbols = vmlinux === undefined ? [] : ["-s", vmlinux];
  const command = ["drgn", "-q", "-c", dump, ...symbols, "-e", script];
  return runPeer(peers, command, { see: [cacheDir()], timeoutMs });
}
