/**
 * The compiler a kernel's modules are built with: the suite's own generation of gcc (native and cross), make and kbuild, unpacked into a
 * directory and entered with chroot. The kernel's headers are unpacked beside them, where their makefiles expect each other.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { debField, download, downloadClosure, unpack, withAptFallback } from "./apt.ts";
import type { Arch, Kernel, Suite } from "./kernels.ts";
import { withLock } from "./lock.ts";
import { cacheDir } from "./paths.ts";
import { type RunOptions, type RunResult, run } from "./process.ts";

export interface Toolchain {
  /** The directory to chroot into. */
  readonly root: string;
  /** Where the kernel's headers are, inside the root. */
  readonly headers: string;
  /** The compiler's command for the kernel's architecture, inside the root. */
  readonly cc: string;
}

/** What makefiles and scripts of kbuild call; Debian marks these essential, so no package asks for them. */
const USERLAND = "base-files dash bash coreutils sed grep mawk findutils diffutils gzip xz-utils lz4 zstd kmod make dwarves".split(" ");

/**
 * Run a command inside a root directory, with /proc and /dev there; the mounts are seen by that command alone and vanish with it.
 * `binds` are pairs of an outside directory and where it appears inside.
 */
export async function runInRoot(
  root: string,
  command: readonly string[],
  options: RunOptions & { readonly binds?: readonly (readonly [outside: string, inside: string])[] } = {},
): Promise<RunResult> {
  const quote = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;
  const mounts = [`mount -t proc proc ${quote(join(root, "proc"))}`, `mount --rbind /dev ${quote(join(root, "dev"))}`];
  for (const name of ["proc", "dev"]) mkdirSync(join(root, name), { recursive: true });
  for (const [outside, inside] of options.binds ?? []) {
    mkdirSync(join(root, inside), { recursive: true });
    mounts.push(`mount --bind ${quote(outside)} ${quote(join(root, inside))}`);
  }
  const enter = `exec chroot ${quote(root)} /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 "$@"`;
  return run("unshare", ["--mount", "sh", "-c", `${mounts.join(" && ")} && ${enter}`, "sh", ...command], options);
}

/** gcc's major version a kernel was built with, from its headers' configuration. */
export function compilerGeneration(autoConf: string): number {
  const version = /^CONFIG_GCC_VERSION=(\d+)/m.exec(autoConf)?.[1];
  if (version === undefined) throw new Error("the kernel's configuration names no gcc");
  return Math.floor(Number(version) / 10000);
}

async function ensureHeaders(kernel: Kernel, root: string): Promise<{ headers: string; kbuild: string }> {
  const name = `linux-headers-${kernel.version}-${kernel.flavour}`;
  const headers = `/usr/src/${name}`;
  const record = join(root, `.kbuild-${kernel.id}`);
  if (!existsSync(record)) {
    const debs = join(kernel.dir, "headers-debs");
    rmSync(debs, { recursive: true, force: true });
    const kbuild = await withAptFallback(kernel.suite, kernel.arch, async (world) => {
      const [own] = await download(world, [name], debs);
      const depends = (await debField(own!, "Depends")).split(/[,|]/).map((entry) => entry.trim().split(" ")[0]!);
      await download(
        world,
        depends.filter((entry) => /^linux-(headers|base)-\d/.test(entry)),
        debs,
      ).then((files) => unpack(files, root));
      return depends.find((entry) => entry.startsWith("linux-kbuild-"))!;
    });
    rmSync(debs, { recursive: true });
    writeFileSync(record, kbuild);
  }
  return { headers, kbuild: readFileSync(record, "utf8") };
}

/** What building a whole kernel takes beside {@link USERLAND}; the compilers are the suite's default. */
const BUILD_TOOLS = (
  "gcc gcc-aarch64-linux-gnu libc6-dev libc6-dev-arm64-cross binutils tar cpio bc bison flex m4 libelf-dev perl-base " +
  "python3-minimal python3"
).split(" ");

function crossPrefix(arch: Arch): string {
  return arch === "arm64" ? "aarch64-linux-gnu-" : "";
}

/** A root directory whose top-level directories are links into /usr, as packages of a merged-/usr system expect. */
function openRoot(suite: Suite): string {
  const root = cacheDir("toolchains", suite);
  if (!existsSync(join(root, "usr/bin"))) {
    for (const name of ["bin", "sbin", "lib", "lib64"]) {
      mkdirSync(join(root, "usr", name), { recursive: true });
      symlinkSync(`usr/${name}`, join(root, name));
    }
  }
  return root;
}

async function installTools(suite: Suite, root: string, packages: readonly string[]): Promise<void> {
  const debs = join(root, ".debs");
  rmSync(debs, { recursive: true, force: true });
  await unpack(await withAptFallback(suite, "amd64", (world) => downloadClosure(world, [...USERLAND, ...packages], debs)), root);
  rmSync(debs, { recursive: true });
  for (const [link, target] of [["bin/sh", "dash"] as const, ["usr/bin/awk", "mawk"] as const]) {
    rmSync(join(root, link), { force: true });
    symlinkSync(target, join(root, link));
  }
}

/** The root in which a suite's kernel source can be built, with the suite's default compilers. */
export async function ensureBuildTools(suite: Suite): Promise<string> {
  return withLock(`toolchain-${suite}`, async () => {
    const root = openRoot(suite);
    const done = join(root, ".kernel-build-tools");
    if (!existsSync(done)) {
      await installTools(suite, root, BUILD_TOOLS);
      writeFileSync(done, "");
    }
    return root;
  });
}

/** The toolchain for a kernel's modules, downloaded when the cache does not have it. */
export async function ensureToolchain(kernel: Kernel): Promise<Toolchain> {
  if (kernel.buildDir !== undefined) {
    return { root: await ensureBuildTools(kernel.suite), headers: kernel.buildDir, cc: `${crossPrefix(kernel.arch)}gcc` };
  }
  return withLock(`toolchain-${kernel.suite}`, async () => {
    const root = openRoot(kernel.suite);
    const { headers, kbuild } = await ensureHeaders(kernel, root);
    const generation = compilerGeneration(readFileSync(join(root, headers, "include/config/auto.conf"), "utf8"));
    const done = join(root, `.gcc-${generation}-${kbuild}`);
    if (!existsSync(done)) {
      const compilers = [`gcc-${generation}`, `gcc-${generation}-aarch64-linux-gnu`, "libc6-dev", "libc6-dev-arm64-cross"];
      await installTools(kernel.suite, root, [...compilers, kbuild]);
      writeFileSync(done, "");
    }
    return { root, headers, cc: `${crossPrefix(kernel.arch)}gcc-${generation}` };
  });
}

/** The arguments kbuild wants for another architecture. */
export function crossArguments(arch: Arch): string[] {
  return arch === "arm64" ? ["ARCH=arm64", `CROSS_COMPILE=${crossPrefix("arm64")}`] : ["ARCH=x86_64"];
}

/** The arguments kbuild wants for a kernel's modules. */
export function kbuildArguments(kernel: Kernel, toolchain: Toolchain): string[] {
  return [...crossArguments(kernel.arch), `CC=${toolchain.cc}`];
}
