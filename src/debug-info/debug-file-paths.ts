/**
 * Where distributions put a kernel's debug files. R is the release (`uname -r`), D a directory of debug files (/usr/lib/debug).
 *
 *   Debian, Ubuntu   D/boot/vmlinux-R                  D/lib/modules/R/…/name.ko
 *   Fedora, RHEL     D/lib/modules/R/vmlinux           D/lib/modules/R/…/name.ko.debug       (also below D/usr)
 *   SUSE             D/boot/vmlinux-R.debug            D/lib/modules/R/…/name.ko.debug
 *   all              D/.build-id/ab/cdef….debug
 *   built here       /lib/modules/R/build/vmlinux      /lib/modules/R/…/name.ko[.xz|.zst|.gz]
 */
import { baseName, directoryOf, joinPath } from "../bytes/paths.ts";
import { buildIdPaths } from "./debug-links.ts";

/** Where debug packages are installed. */
export const SYSTEM_DEBUG_DIRECTORY = "/usr/lib/debug";

/** A release that may stand in a path: it comes from the dump. */
export function safeRelease(release: string | undefined): string | undefined {
  return release !== undefined && /^[\w.+~-]{1,128}$/.test(release) && !release.startsWith(".") ? release : undefined;
}

/** A directory that the user names may be one of debug files, or the root of a file system with one in it. */
export function debugDirectories(named: readonly string[], system = [SYSTEM_DEBUG_DIRECTORY]): readonly string[] {
  return [...new Set([...named.flatMap((each) => [joinPath(each, "usr/lib/debug"), joinPath(each, "lib/debug"), each]), ...system])];
}

/** Where the vmlinux of a release may be, those with debug information first. */
export function vmlinuxPaths(release: string | undefined, buildId: string | undefined, directories: readonly string[]): readonly string[] {
  const paths = buildId === undefined ? [] : [...buildIdPaths(buildId, directories)];
  const name = safeRelease(release);
  if (name === undefined) return paths;
  for (const directory of directories) {
    for (const place of [
      `boot/vmlinux-${name}`,
      `boot/vmlinux-${name}.debug`,
      `lib/modules/${name}/vmlinux`,
      `lib/modules/${name}/vmlinux.debug`,
      `usr/lib/modules/${name}/vmlinux`,
      `usr/lib/modules/${name}/vmlinux.debug`,
      `vmlinux-${name}`,
      "vmlinux",
    ])
      paths.push(joinPath(directory, place));
  }
  paths.push(`/lib/modules/${name}/build/vmlinux`, `/lib/modules/${name}/vmlinux`, `/boot/vmlinux-${name}`);
  return paths;
}

/** Directories below which a release's module files may be, those with debug information first. */
export function moduleRoots(release: string | undefined, directories: readonly string[], vmlinux: string | undefined): readonly string[] {
  const name = safeRelease(release);
  const roots: string[] = [];
  if (name !== undefined) {
    const near = vmlinux === undefined ? [] : aroundVmlinux(vmlinux);
    for (const directory of [...near, ...directories])
      roots.push(joinPath(directory, `lib/modules/${name}`), joinPath(directory, `usr/lib/modules/${name}`));
    roots.push(`/lib/modules/${name}`, `/usr/lib/modules/${name}`);
  }
  return [...new Set(roots)];
}

/** The directory of debug files that a vmlinux lies in: D of D/boot/vmlinux-R and of D/lib/modules/R/vmlinux. */
export function aroundVmlinux(path: string): readonly string[] {
  const directory = directoryOf(path);
  if (baseName(directory) === "boot") return [directoryOf(directory)];
  const modules = /^(.*?)\/?(?:usr\/)?lib\/modules\/[^/]+(?:\/build)?$/.exec(directory)?.[1];
  return modules === undefined ? [] : [modules === "" ? "/" : modules];
}

/** The module that a file is, by its name: "snd_hda_intel" of "…/snd-hda-intel.ko.xz"; undefined when it is named otherwise. */
export function moduleOfFile(path: string): string | undefined {
  const name = /^(.+?)\.ko(\.debug)?(\.(xz|gz|zst))?$/.exec(baseName(path))?.[1];
  return name?.replaceAll("-", "_");
}
