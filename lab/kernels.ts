/**
 * Debian's kernels: which suite has which series, how its packages are called, and a downloaded kernel as files (image, modules,
 * configuration, and on request its debug symbols). A kernel once downloaded stays the one used until it is removed from the cache, so
 * that cases made on different days fit together.
 */
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { type AptWorld, debField, download, openApt, packageNames, unpack } from "./apt.ts";
import { withLock } from "./lock.ts";
import { cacheDir } from "./paths.ts";
import { ProcessError, run } from "./process.ts";

export type Arch = "amd64" | "arm64";
export type Suite = "bullseye" | "bookworm" | "trixie" | "sid" | "experimental";

/** Suites whose kernel changes from week to week: their cases are made only when they are asked for. */
export function isRolling({ suite }: { readonly suite: Suite }): boolean {
  return suite === "sid" || suite === "experimental";
}

export interface KernelChoice {
  /** The word for it in case ids: `6.1-amd64`, `sid-arm64`, `6.12-arm64-16k`. */
  readonly id: string;
  readonly suite: Suite;
  readonly arch: Arch;
  /** The flavour in package names: `cloud-amd64`, `arm64-16k`. */
  readonly flavour: string;
  /** The version part of package names that belong to the series. */
  readonly version: RegExp;
}

const SERIES: readonly { readonly name: string; readonly suite: Suite; readonly version: RegExp }[] = [
  { name: "5.10", suite: "bullseye", version: /^5\.10\.0-\d+$/ },
  { name: "6.1", suite: "bookworm", version: /^6\.1\.0-\d+$/ },
  { name: "6.12", suite: "trixie", version: /^6\.12\.\d+\+deb13$/ },
  { name: "sid", suite: "sid", version: /^\d+\.\d+(\.\d+)?\+deb\d+$/ },
  // The release candidate or release that sid does not have yet; now and then there is none.
  { name: "experimental", suite: "experimental", version: /^\d+\.\d+$/ },
];

/** Every kernel the lab knows. */
export const KERNELS: readonly KernelChoice[] = SERIES.flatMap(({ name, suite, version }) => {
  const kernels: KernelChoice[] = [
    { id: `${name}-amd64`, suite, arch: "amd64", flavour: "cloud-amd64", version },
    { id: `${name}-arm64`, suite, arch: "arm64", flavour: "cloud-arm64", version },
  ];
  if (name === "6.12" || name === "sid") kernels.push({ id: `${name}-arm64-16k`, suite, arch: "arm64", flavour: "arm64-16k", version });
  // Locks of PREEMPT_RT are rt_mutexes, and interrupts are threads.
  if (name === "6.12") kernels.push({ id: `${name}-amd64-rt`, suite, arch: "amd64", flavour: "rt-amd64", version });
  return kernels;
});

/** A downloaded kernel. Paths are absolute. */
export interface Kernel {
  readonly id: string;
  readonly suite: Suite;
  readonly arch: Arch;
  readonly flavour: string;
  /** As in package names, e.g. `6.1.0-56`; `uname -r` is `version-flavour`. */
  readonly version: string;
  readonly packageName: string;
  readonly packageVersion: string;
  /** Debian source package and version, where the kernel's source is. */
  readonly source: string;
  readonly image: string;
  readonly modulesDir: string;
  readonly dir: string;
  /** Where the lab built it, inside its suite's toolchain root; undefined for a packaged kernel. */
  readonly buildDir?: string;
}

/** Compare dotted versions by their numbers. */
export function compareVersions(a: string, b: string): number {
  const numbers = (version: string) => version.split(/[^0-9]+/).map(Number);
  const [left, right] = [numbers(a), numbers(b)];
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** The versions of a kernel among package names, newest first. */
export function versionsAmong(names: readonly string[], choice: Pick<KernelChoice, "flavour" | "version">): string[] {
  const found = new Set<string>();
  for (const name of names) {
    const match = /^linux-(?:image|binary)-(.*?)(?:-unsigned)?$/.exec(name);
    if (!match?.[1]?.endsWith(`-${choice.flavour}`)) continue;
    const version = match[1].slice(0, -choice.flavour.length - 1);
    if (choice.version.test(version)) found.add(version);
  }
  return [...found].sort((a, b) => compareVersions(b, a));
}

/** The packages that hold image and modules: one since always, two in the newest suites. */
function imagePackages(names: ReadonlySet<string>, release: string): string[] {
  if (names.has(`linux-binary-${release}`)) return [`linux-binary-${release}`, `linux-modules-${release}`];
  return [names.has(`linux-image-${release}-unsigned`) ? `linux-image-${release}-unsigned` : `linux-image-${release}`];
}

function findImage(root: string, release: string): string {
  const places = [join(root, "boot", `vmlinuz-${release}`), join(root, "usr/lib/modules", release, "vmlinuz")];
  const image = places.find((path) => existsSync(path));
  if (image === undefined) throw new Error(`no kernel image among ${places.join(", ")}`);
  return image;
}

function findModules(root: string, release: string): string {
  const places = [join(root, "usr/lib/modules", release), join(root, "lib/modules", release)];
  const dir = places.find((path) => existsSync(join(path, "kernel")));
  if (dir === undefined) throw new Error(`no modules among ${places.join(", ")}`);
  return dir;
}

async function fetchKernel(choice: KernelChoice, world: AptWorld, dir: string): Promise<Kernel> {
  const names = await packageNames(world);
  const nameSet = new Set(names);
  let failure: unknown;
  // An index may still name what the archive has already dropped: go back a few versions.
  for (const version of versionsAmong(names, choice).slice(0, 8)) {
    const release = `${version}-${choice.flavour}`;
    const debsDir = join(dir, "debs");
    const root = join(dir, "root");
    try {
      for (const path of [debsDir, root]) rmSync(path, { recursive: true, force: true });
      const debs = await download(world, imagePackages(nameSet, release), debsDir);
      await unpack(debs, root);
      const first = debs.find((path) => /linux-(image|binary)-/.test(basename(path)))!;
      const packageVersion = await debField(first, "Version");
      const [sourceName = "linux", sourceVersion] = (await debField(first, "Source")).split(/[ ()]+/);
      rmSync(debsDir, { recursive: true });
      return {
        id: choice.id,
        suite: choice.suite,
        arch: choice.arch,
        flavour: choice.flavour,
        version,
        packageName: await debFieldName(first),
        packageVersion,
        source: `${sourceName || "linux"} ${sourceVersion || packageVersion}`,
        image: findImage(root, release),
        modulesDir: findModules(root, release),
        dir,
      };
    } catch (error) {
      if (!(error instanceof ProcessError)) throw error;
      failure = error;
    }
  }
  throw failure ?? new Error(`${choice.suite} has no ${choice.flavour} kernel that fits ${choice.version}`);
}

function debFieldName(deb: string): string {
  return basename(deb).split("_")[0]!;
}

/** The packaged kernel as files, downloaded when the cache does not have it. */
export async function ensurePackagedKernel(choice: KernelChoice): Promise<Kernel> {
  return withLock(`kernel-${choice.id}`, async () => {
    const dir = cacheDir("kernels", choice.id);
    const record = join(dir, "kernel.json");
    if (!existsSync(record)) {
      const kernel = await fetchKernel(choice, await openApt(choice.suite, choice.arch), dir);
      writeFileSync(record, `${JSON.stringify(kernel, null, 2)}\n`);
    }
    return JSON.parse(readFileSync(record, "utf8")) as Kernel;
  });
}

/** Where a kernel's debug symbols are when they have been fetched. */
export function debugDir(kernel: Kernel): string {
  return join(kernel.dir, "debug");
}

/** The `vmlinux` with debug information when it has been fetched. */
export function vmlinuxOf(kernel: Kernel): string | undefined {
  const boot = join(debugDir(kernel), "usr/lib/debug/boot");
  const name = existsSync(boot) ? readdirSync(boot).find((entry) => entry.startsWith("vmlinux-")) : undefined;
  // Since 7.x it is a link to lib/modules/RELEASE/vmlinux; one that dangles is no vmlinux.
  return name === undefined || !existsSync(join(boot, name)) ? undefined : join(boot, name);
}

/** Fetch `vmlinux` and the debug files of the few modules the lab's guests load. */
export async function ensureDebug(kernel: Kernel): Promise<string> {
  return withLock(`debug-${kernel.id}`, async () => {
    const known = vmlinuxOf(kernel);
    if (known !== undefined) return known;
    const release = `${kernel.version}-${kernel.flavour}`;
    const debs = join(kernel.dir, "debug-debs");
    const partial = `${debugDir(kernel)}.partial`;
    for (const path of [debs, partial, debugDir(kernel)]) rmSync(path, { recursive: true, force: true });
    const [deb] = await download(await openApt(kernel.suite, kernel.arch), [`linux-image-${release}-dbg`], debs);
    const wanted = ["*/vmlinux-*", "*/vmlinux", "*/virtio*", "*/qemu_fw_cfg*", "*/loop.ko*"];
    const tar = ["-x", "-C", partial, "--wildcards", ...wanted];
    await run("sh", ["-c", 'mkdir -p "$1" && deb=$2 && shift 2 && dpkg-deb --fsys-tarfile "$deb" | tar "$@"', "sh", partial, deb!, ...tar]);
    rmSync(debs, { recursive: true });
    renameSync(partial, debugDir(kernel));
    return vmlinuxOf(kernel)!;
  });
}
