/**
 * Programs for guests of either architecture, from Debian packages: busybox, and for real kdump kexec and makedumpfile with the shared
 * libraries they load.
 */
import { existsSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { downloadClosure, unpack, withAptFallback } from "./apt.ts";
import { neededLibraries } from "./elf-needed.ts";
import type { Arch, Suite } from "./kernels.ts";
import { withLock } from "./lock.ts";
import type { NewcArchive } from "./newc.ts";
import { cacheDir } from "./paths.ts";

/** The suite the guests' programs come from, whatever kernel they run on; what writes the dumps of the newest kernels is the newest. */
const TOOLS_SUITE: Suite = "trixie";
const NEWEST_SUITE: Suite = "sid";

const PACKAGES = ["busybox-static", "kexec-tools", "makedumpfile"];

/** A directory with the unpacked packages for an architecture. @param newest those of sid */
export async function ensureGuestTools(arch: Arch, newest = false): Promise<string> {
  const name = newest ? `${NEWEST_SUITE}-${arch}` : arch;
  return withLock(`guest-tools-${name}`, async () => {
    const root = cacheDir("guest-tools", name);
    const done = join(root, ".done");
    if (!existsSync(done)) {
      const debs = join(root, ".debs");
      const files = await withAptFallback(newest ? NEWEST_SUITE : TOOLS_SUITE, arch, (world) => downloadClosure(world, PACKAGES, debs));
      // The closure holds what installing would need, such as perl; only programs and libraries are unpacked.
      await unpack(
        files.filter((path) => /^(busybox|kexec|makedumpfile|lib|zlib)/.test(basename(path))),
        root,
      );
      rmSync(debs, { recursive: true });
      writeFileSync(done, "");
    }
    return root;
  });
}

/** Find a program in an unpacked root. */
export function toolPath(root: string, name: string): string {
  const path = ["usr/bin", "usr/sbin", "bin", "sbin"].map((dir) => join(root, dir, name)).find((candidate) => existsSync(candidate));
  if (path === undefined) throw new Error(`${name} is not in ${root}`);
  return path;
}

function libraryDirs(root: string): string[] {
  return ["lib", "usr/lib", "lib64", "usr/lib64"].flatMap((name) => {
    const dir = join(root, name);
    if (!existsSync(dir)) return [];
    const triplets = readdirSync(dir).filter((entry) => entry.endsWith("-linux-gnu"));
    return [dir, ...triplets.map((entry) => join(dir, entry))];
  });
}

/** Put dynamically linked programs with their libraries and their loader into an archive. */
export function addPrograms(archive: NewcArchive, root: string, names: readonly string[]): void {
  const dirs = libraryDirs(root);
  const read = (library: string, wanting: string) => {
    const path = dirs.map((dir) => join(dir, library)).find((candidate) => existsSync(candidate));
    if (path === undefined) throw new Error(`${wanting} needs ${library}, which no package brought`);
    return readFileSync(realpathSync(path));
  };
  const added = new Set<string>();
  const addOnce = (path: string, bytes: Uint8Array) => {
    if (!added.has(path)) archive.file(path, bytes, 0o755);
    added.add(path);
  };
  for (const name of names) {
    const program = readFileSync(toolPath(root, name));
    addOnce(`usr/sbin/${name}`, program);
    const { needed, interpreter } = neededLibraries(program);
    if (interpreter !== undefined) addOnce(interpreter.replace(/^\//, ""), read(basename(interpreter), name));
    const queue = [...needed];
    const seen = new Set<string>();
    for (let library = queue.shift(); library !== undefined; library = queue.shift()) {
      if (seen.has(library)) continue;
      seen.add(library);
      const bytes = read(library, name);
      addOnce(`usr/lib/${library}`, bytes);
      queue.push(...neededLibraries(bytes).needed);
    }
  }
}
