/**
 * Single files and directories of a kernel's own source, out of the linux-source package of its suite, without unpacking the rest:
 *
 *   sources/bookworm/drivers/misc/lkdtm/    as in the tree
 */
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { download, packageNames, withAptFallback } from "./apt.ts";
import { compareVersions, type Suite } from "./kernels.ts";
import { withLock } from "./lock.ts";
import { cacheDir } from "./paths.ts";
import { run } from "./process.ts";

/** Download a suite's own linux-source package into `dir`: its file, and the package's name. */
export async function downloadSource(suite: Suite, dir: string): Promise<readonly [deb: string, packageName: string]> {
  rmSync(dir, { recursive: true, force: true });
  return withAptFallback(suite, "amd64", async (world) => {
    // A stable suite's security archive also has a later series, made for backports: the suite's own is the oldest.
    const [name] = (await packageNames(world)).filter((each) => /^linux-source-\d/.test(each)).sort(compareVersions);
    if (name === undefined) throw new Error(`${suite} has no linux-source`);
    const [file] = await download(world, [name], dir);
    return [file as string, name] as const;
  });
}

/** Where a path of the kernel's tree lies unpacked, fetched when the cache does not have it. */
export async function sourceFiles(suite: Suite, path: string): Promise<string> {
  return withLock(`source-files-${suite}`, async () => {
    const root = cacheDir("sources", suite);
    const wanted = join(root, path);
    if (existsSync(wanted)) return wanted;
    const work = join(root, ".work");
    const [deb, name] = await downloadSource(suite, work);
    const script = 'dpkg-deb --fsys-tarfile "$1" | tar -x -O "./usr/src/$2.tar.xz" | tar -x -J -C "$3" --strip-components=1 "$2/$4"';
    await run("sh", ["-c", script, "sh", deb, name, work, path], { timeoutMs: 900_000 });
    if (!existsSync(join(work, path))) throw new Error(`${name} has no ${path}, only ${readdirSync(work).map((each) => basename(each))}`);
    mkdirSync(dirname(wanted), { recursive: true });
    renameSync(join(work, path), wanted);
    rmSync(work, { recursive: true });
    return wanted;
  });
}
