/**
 * Kernels the lab builds itself, from Debian's linux-source packages with the suite's own compiler: small ones that lack what the packaged
 * kernels have (BTF, ORC tables, data symbols, a second CPU) or have what those lack (KASAN, lockdep, the first slab allocator). The
 * configuration is allnoconfig plus the fragments under configs/; a setting of a fragment that does not survive is an error. Source and
 * build directory lie in the suite's toolchain root:
 *
 *   toolchains/bookworm/usr/src/linux-source-6.1              one tree per series
 *   toolchains/bookworm/usr/src/linux-built-6.1-amd64-plain   configuration, headers and scripts; objects are removed once it is built
 *   kernels/6.1-amd64-plain/                                  image, modules, debug/usr/lib/debug/boot/vmlinux-RELEASE
 */
import { createHash } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { basename, join } from "node:path";
import { debField, unpack } from "./apt.ts";
import { downloadSource } from "./kernel-source.ts";
import type { Arch, Kernel, KernelChoice, Suite } from "./kernels.ts";
import { withLock } from "./lock.ts";
import { cacheDir, labSource } from "./paths.ts";
import { run } from "./process.ts";
import { crossArguments, ensureBuildTools, runInRoot } from "./toolchain.ts";

export interface BuiltKernelChoice extends KernelChoice {
  /** Names of files in configs/, without `.config`; later ones win. */
  readonly fragments: readonly string[];
  /** Scenarios that `--suite built` makes of it. */
  readonly scenarios: readonly string[];
  /** Those of them that the matrix has too, for CI. */
  readonly inMatrix: readonly string[];
  /** Put on the kernel's command line in every scenario. */
  readonly append: string;
}

/** On a machine that is busy with other things, at `nice 19`. */
const BUILD_TIMEOUT_MS = 3 * 3_600_000;

interface Recipe {
  readonly series: "6.1" | "sid";
  readonly arch: Arch;
  readonly flavour: string;
  readonly fragments: readonly string[];
  readonly scenarios?: readonly string[];
  readonly inMatrix?: readonly string[];
  readonly append?: string;
}

function choice({ series, arch, flavour, fragments, scenarios = ["null"], inMatrix = [], append = "" }: Recipe): BuiltKernelChoice {
  return {
    id: `${series}-${arch}-${flavour}`,
    suite: series === "6.1" ? "bookworm" : "sid",
    arch,
    flavour,
    version: /^\d+\.\d+$/,
    fragments: ["common", arch, ...fragments],
    scenarios,
    inMatrix,
    append,
  };
}

const PLAIN_AMD64 = ["plain", "plain-amd64"];

/** Every kernel the lab can build. */
export const BUILT_KERNELS: readonly BuiltKernelChoice[] = (
  [
    {
      series: "6.1",
      arch: "amd64",
      flavour: "plain",
      fragments: [...PLAIN_AMD64, "slab"],
      scenarios: ["null", "hung", "bare"],
      inMatrix: ["null"],
    },
    { series: "6.1", arch: "amd64", flavour: "nosyms", fragments: [...PLAIN_AMD64, "slab", "no-kallsyms"] },
    {
      series: "6.1",
      arch: "amd64",
      flavour: "debug",
      fragments: ["debug", "debug-amd64"],
      scenarios: ["null", "list"],
      append: "page_owner=on",
    },
    { series: "6.1", arch: "amd64", flavour: "up", fragments: [...PLAIN_AMD64, "slub", "up"], scenarios: ["null", "timer"] },
    { series: "6.1", arch: "arm64", flavour: "plain", fragments: ["plain", "plain-arm64", "slub"] },
    { series: "sid", arch: "amd64", flavour: "plain", fragments: [...PLAIN_AMD64, "slub"] },
    { series: "sid", arch: "amd64", flavour: "debug", fragments: ["debug", "debug-amd64"], append: "page_owner=on" },
    { series: "sid", arch: "amd64", flavour: "up", fragments: [...PLAIN_AMD64, "slub-tiny", "up"] },
    { series: "sid", arch: "arm64", flavour: "plain", fragments: ["plain", "plain-arm64", "slub"] },
  ] satisfies Recipe[]
).map(choice);

/** Whether a kernel is one the lab builds rather than downloads. */
export function isBuilt(kernel: KernelChoice): kernel is BuiltKernelChoice {
  return "fragments" in kernel;
}

/** The settings of fragments, the last word on each: `CONFIG_SMP` to `y`. */
export function settingsOf(fragments: readonly string[]): Map<string, string> {
  const settings = new Map<string, string>();
  for (const line of fragments.flatMap((text) => text.split("\n"))) {
    const match = /^(CONFIG_\w+)=(.*)$/.exec(line);
    if (match !== null) settings.set(match[1]!, match[2]!);
    else if (line.trim() !== "" && !line.startsWith("#")) throw new Error(`not a setting: ${line}`);
  }
  return settings;
}

/** Settings that a finished `.config` does not have as they were asked for. */
export function unmetSettings(settings: ReadonlyMap<string, string>, config: string): string[] {
  const final = settingsOf([config]);
  return [...settings].flatMap(([name, value]) => ((final.get(name) ?? "n") === value ? [] : [`${name}=${value}`]));
}

function fragmentTexts(kernel: BuiltKernelChoice): string[] {
  return kernel.fragments.map((name) => readFileSync(labSource("configs", `${name}.config`), "utf8"));
}

/** What lies in a source tree without being needed to build: tests, manuals, and the register files of one graphics driver (1 GB). */
const LEFT_OUT = ["*/Documentation/*/*", "*/tools/testing/*", "*/tools/perf/*", "*/drivers/gpu/drm/amd/include/*"];

interface Source {
  /** Inside the root. */
  readonly dir: string;
  readonly packageName: string;
  readonly packageVersion: string;
}

/** The suite's kernel source, unpacked once. */
async function ensureSource(suite: Suite, root: string): Promise<Source> {
  return withLock(`source-${suite}`, async () => {
    const record = join(root, ".kernel-source.json");
    if (!existsSync(record)) {
      const debs = join(root, ".source-debs");
      const [deb, newest] = await downloadSource(suite, debs);
      const packageVersion = await debField(deb, "Version");
      await unpack([deb], debs);
      const archive = join(debs, "usr/src", `${newest}.tar.xz`);
      const excluded = LEFT_OUT.map((pattern) => `--exclude=${pattern}`);
      await run("tar", ["-x", "-f", archive, "-C", join(root, "usr/src"), ...excluded], { timeoutMs: 900_000 });
      rmSync(debs, { recursive: true });
      const source: Source = { dir: `/usr/src/${newest}`, packageName: newest, packageVersion };
      writeFileSync(record, JSON.stringify(source));
    }
    return JSON.parse(readFileSync(record, "utf8")) as Source;
  });
}

const IMAGES: Readonly<Record<Arch, string>> = { amd64: "arch/x86/boot/bzImage", arm64: "arch/arm64/boot/Image" };

/** Objects take most of a build directory; modules only need headers, scripts and symbol versions. */
function removeObjects(dir: string): void {
  for (const entry of readdirSync(dir, { withFileTypes: true })) {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) {
      if (!["scripts", "tools"].includes(entry.name)) removeObjects(path);
    } else if (/\.(o|a|ko)$|^(\.tmp_)?vmlinux/.test(entry.name)) rmSync(path);
  }
}

async function build(kernel: BuiltKernelChoice, dir: string): Promise<Kernel> {
  const root = await ensureBuildTools(kernel.suite);
  const source = await ensureSource(kernel.suite, root);
  const out = `/usr/src/linux-built-${kernel.id}`;
  const outside = join(root, out);
  // What is built is what the fragments say now, whatever becomes of them meanwhile.
  const texts = fragmentTexts(kernel);
  const settings = settingsOf([...texts, `CONFIG_LOCALVERSION="-${kernel.flavour}"`]);
  const lines = [`# ${source.packageName} ${source.packageVersion}`, ...[...settings].map(([name, value]) => `${name}=${value}`)];
  const wanted = `${lines.join("\n")}\n`;
  const configured = join(outside, "lab.config");
  // A build that was cut short goes on where it stopped.
  if (!existsSync(configured) || readFileSync(configured, "utf8") !== wanted) rmSync(outside, { recursive: true, force: true });
  mkdirSync(outside, { recursive: true });
  writeFileSync(configured, wanted);
  const make = (...targets: string[]) => {
    const command = [
      "nice",
      "-n",
      "19",
      "make",
      `-j${availableParallelism()}`,
      "-C",
      source.dir,
      `O=${out}`,
      ...crossArguments(kernel.arch),
    ];
    return runInRoot(root, [...command, ...targets], { timeoutMs: BUILD_TIMEOUT_MS });
  };
  await make(`KCONFIG_ALLCONFIG=${out}/lab.config`, "allnoconfig");
  const unmet = unmetSettings(settings, readFileSync(join(outside, ".config"), "utf8"));
  if (unmet.length > 0) throw new Error(`${kernel.id}: the source's configuration does not take ${unmet.join(", ")}`);
  const version = (await make("-s", "kernelversion")).stdout.toString().trim();
  const release = `${version}-${kernel.flavour}`;
  await make("KBUILD_BUILD_USER=lab", "KBUILD_BUILD_HOST=lab", basename(IMAGES[kernel.arch]), "modules");
  await make(`INSTALL_MOD_PATH=${out}/installed`, "INSTALL_MOD_STRIP=1", "DEPMOD=true", "modules_install");
  const partial = `${dir}.partial`;
  rmSync(partial, { recursive: true, force: true });
  const debug = "debug/usr/lib/debug";
  mkdirSync(join(partial, debug, "boot"), { recursive: true });
  copyFileSync(join(outside, IMAGES[kernel.arch]), join(partial, "image"));
  copyFileSync(join(outside, ".config"), join(partial, "config"));
  renameSync(join(outside, "vmlinux"), join(partial, debug, "boot", `vmlinux-${release}`));
  renameSync(join(outside, "installed/lib/modules", release), join(partial, "modules"));
  keepModuleDebug(outside, join(partial, debug, "lib/modules", release, "kernel"));
  removeObjects(outside);
  rmSync(dir, { recursive: true, force: true });
  renameSync(partial, dir);
  return {
    id: kernel.id,
    suite: kernel.suite,
    arch: kernel.arch,
    flavour: kernel.flavour,
    version,
    packageName: source.packageName,
    packageVersion: `${source.packageVersion} ${configHash(texts)}`,
    source: `linux ${source.packageVersion}`,
    image: join(dir, "image"),
    modulesDir: join(dir, "modules"),
    dir,
    buildDir: out,
  };
}

/** Modules with their debug information, laid out as `modules_install` lays out the stripped ones. */
function keepModuleDebug(from: string, to: string): void {
  for (const entry of readdirSync(from, { recursive: true, withFileTypes: true })) {
    if (!entry.name.endsWith(".ko") || entry.parentPath.includes("/installed")) continue;
    const target = join(to, entry.parentPath.slice(from.length));
    mkdirSync(target, { recursive: true });
    copyFileSync(join(entry.parentPath, entry.name), join(target, entry.name));
  }
}

/** Of the settings; comments do not count. */
function configHash(texts: readonly string[]): string {
  return createHash("sha256")
    .update(JSON.stringify([...settingsOf(texts)]))
    .digest("hex")
    .slice(0, 12);
}

/** The kernel, built when the cache does not have it with today's configuration. Minutes to tens of minutes on two cores. */
export async function ensureBuiltKernel(kernel: BuiltKernelChoice): Promise<Kernel> {
  return withLock(
    `kernel-${kernel.id}`,
    async () => {
      const dir = cacheDir("kernels", kernel.id);
      const record = join(dir, "kernel.json");
      const known = existsSync(record) ? (JSON.parse(readFileSync(record, "utf8")) as Kernel) : undefined;
      if (known?.packageVersion.endsWith(` ${configHash(fragmentTexts(kernel))}`)) return known;
      const built = await build(kernel, dir);
      writeFileSync(record, `${JSON.stringify(built, null, 2)}\n`);
      return built;
    },
    2 * BUILD_TIMEOUT_MS,
  );
}
