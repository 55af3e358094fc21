/**
 * The compiler a kernel's modules are built with: the suite's own generation of gcc (native and cross), make and kbuild, unpacked into a
 * directory and entered with chroot. The kernel's headers are unpacked beside them, where their makefiles expect each other.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { debField, download, downloadClosure, unpack, withAptFallback } from "./apt.ts";
import type { Arch, Kernel } from "./kernels.ts";
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

function crossPrefix(arch: Arch): string {
  return arch === "arm64" ? "aarch64-linux-gnu-" : "";
}

/** The toolchain for a kernel, downloaded when the cache does not have it. */
export async function ensureToolchain(kernel: Kernel): Promise<Toolchain> {
  return withLock(`toolchain-${kernel.suite}`, async () => {
    const root = cacheDir("toolchains", kernel.suite);
    if (!existsSync(join(root, "usr/bin"))) {
      for (const name of ["bin", "sbin", "lib", "lib64"]) {
        mkdirSync(join(root, "usr", name), { recursive: true });
        symlinkSync(`usr/${name}`, join(root, name));
      }
    }
    const { headers, kbuild } = await ensureHeaders(kernel, root);
    const generation = compilerGeneration(readFileSync(join(root, headers, "include/config/auto.conf"), "utf8"));
    const done = join(root, `.gcc-${generation}-${kbuild}`);
    if (!existsSync(done)) {
      const compilers = [`gcc-${generation}`, `gcc-${generation}-aarch64-linux-gnu`, "libc6-dev", "libc6-dev-arm64-cross"];
      const debs = join(root, ".debs");
      rmSync(debs, { recursive: true, force: true });
      const wanted = [...USERLAND, ...compilers, kbuild];
      await unpack(await withAptFallback(kernel.suite, "amd64", (world) => downloadClosure(world, wanted, debs)), root);
      rmSync(debs, { recursive: true });
      for (const [link, target] of [["bin/sh", "dash"] as const, ["usr/bin/awk", "mawk"] as const]) {
        rmSync(join(root, link), { force: true });
        symlinkSync(target, join(root, link));
      }
      writeFileSync(done, "");
    }
    return { root, headers, cc: `${crossPrefix(kernel.arch)}gcc-${generation}` };
  });
}

/** The arguments kbuild wants for a kernel of another architecture. */
export function kbuildArguments(kernel: Kernel, toolchain: Toolchain): string[] {
  const cross = kernel.arch === "arm64" ? ["ARCH=arm64", `CROSS_COMPILE=${crossPrefix("arm64")}`] : [];
  return [...cross, `CC=${toolchain.cc}`];
}
