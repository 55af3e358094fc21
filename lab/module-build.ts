/**
 * Builds the lab's modules and its user programs for one kernel: those of every guest, and sets of their own for the scenarios that ask
 * for one (so that a change there makes no other case stale). Split BTF comes from kbuild where the headers carry a
 * vmlinux (trixie and newer); for older kernels it is added with pahole over the kernel's own BTF, taken out of its image. Two modules are
 * left without BTF on every kernel, as third-party modules often are.
 */
import { createHash } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { findBtf, imagePayload } from "./image-btf.ts";
import type { Kernel } from "./kernels.ts";
import { withLock } from "./lock.ts";
import { labSource } from "./paths.ts";
import { ensureToolchain, kbuildArguments, runInRoot, type Toolchain } from "./toolchain.ts";

export interface GuestPrograms {
  /** Directory of the built `lab_*.ko`, with their debug information. */
  readonly dir: string;
  /** Names of the modules, without `.ko`. */
  readonly modules: readonly string[];
  /** The static user program. */
  readonly program: string;
}

/** A set of modules with a user program: `base` is in every guest; others are named by scenarios. */
export type ProgramSet = "base" | "views";

interface SetSources {
  /** Directory of the modules. */
  readonly modules: string;
  /** Directory and names of the C files and headers of the program. */
  readonly guest: string;
  readonly files: RegExp;
  readonly program: string;
}

const SETS: Readonly<Record<ProgramSet, SetSources>> = {
  base: { modules: "modules", guest: "guest", files: /^workers\.c$/, program: "workers" },
  views: { modules: "views/module", guest: "views/guest", files: /\.[ch]$/, program: "views" },
};

/** Modules whose BTF is taken away. */
export const WITHOUT_BTF: readonly string[] = ["lab_hang", "lab_many"];

interface Source {
  readonly path: string;
  readonly name: string;
}

function modulesOf(set: ProgramSet): Source[] {
  const { modules } = SETS[set];
  return readdirSync(labSource(modules)).map((name) => ({ path: labSource(modules, name), name }));
}

function programOf(set: ProgramSet): Source[] {
  const { guest, files } = SETS[set];
  const names = readdirSync(labSource(guest)).filter((name) => files.test(name));
  return names.map((name) => ({ path: labSource(guest, name), name }));
}

/** A hash of everything the programs are made from. */
export function programsHash(kernel: Kernel, set: ProgramSet = "base"): string {
  const hash = createHash("sha256").update(`${kernel.packageName} ${kernel.packageVersion}`);
  for (const { path, name } of [...modulesOf(set), ...programOf(set)]) hash.update(name).update(readFileSync(path));
  return hash.digest("hex").slice(0, 16);
}

async function build(kernel: Kernel, toolchain: Toolchain, set: ProgramSet, out: string): Promise<void> {
  const inside = set === "base" ? `/lab-${kernel.id}` : `/lab-${set}-${kernel.id}`;
  const { program } = SETS[set];
  // In a directory of its own: the set's module and program may have headers of the same name.
  const own = `${inside}/program`;
  const work = join(toolchain.root, inside);
  rmSync(work, { recursive: true, force: true });
  mkdirSync(join(toolchain.root, own), { recursive: true });
  for (const { path, name } of modulesOf(set)) copyFileSync(path, join(work, name));
  for (const { path, name } of programOf(set)) copyFileSync(path, join(toolchain.root, own, name));
  const make = (command: readonly string[]) => runInRoot(toolchain.root, command, { timeoutMs: 300_000 });
  await make(["make", "-j2", "-C", toolchain.headers, `M=${inside}`, ...kbuildArguments(kernel, toolchain), "modules"]);
  const units = programOf(set).flatMap(({ name }) => (name.endsWith(".c") ? [`${own}/${name}`] : []));
  await make([toolchain.cc, "-static", "-O2", "-pthread", "-o", `${inside}/${program}`, ...units, "-lrt"]);
  const modules = readdirSync(work).filter((name) => name.endsWith(".ko"));
  await settleBtf(kernel, toolchain, inside, modules, WITHOUT_BTF);
  for (const name of [...modules, program]) copyFileSync(join(work, name), join(out, name));
  rmSync(work, { recursive: true });
}

/** The kernel's BTF where modules can have BTF and kbuild did not see to it. */
async function baseBtf(kernel: Kernel, toolchain: Toolchain): Promise<Uint8Array | undefined> {
  const headers = join(toolchain.root, toolchain.headers);
  const wanted = readFileSync(join(headers, "include/config/auto.conf"), "utf8").includes("CONFIG_DEBUG_INFO_BTF_MODULES=y");
  if (!wanted || existsSync(join(headers, "vmlinux"))) return undefined;
  const { bytes, compression } = imagePayload(readFileSync(kernel.image));
  const decompressor = [compression, "-d", "-c"];
  const image = compression === "none" ? bytes : (await runInRoot(toolchain.root, decompressor, { input: bytes })).stdout;
  const btf = findBtf(image);
  if (btf === undefined) throw new Error(`no BTF in the image of ${kernel.packageName}`);
  return btf;
}

/** Give built modules (files in `inside`) the BTF they should have; those named in `without` lose theirs. */
export async function settleBtf(
  kernel: Kernel,
  toolchain: Toolchain,
  inside: string,
  modules: readonly string[],
  without: readonly string[],
): Promise<void> {
  const objcopy = kernel.arch === "arm64" ? "aarch64-linux-gnu-objcopy" : "objcopy";
  const base = await baseBtf(kernel, toolchain);
  if (base !== undefined) writeFileSync(join(toolchain.root, inside, "vmlinux.btf"), base);
  for (const name of modules) {
    const path = `${inside}/${name}`;
    if (without.includes(name.replace(".ko", ""))) {
      await runInRoot(toolchain.root, [objcopy, "--remove-section=.BTF", "--remove-section=.BTF.base", path]);
    } else if (base !== undefined) {
      await runInRoot(toolchain.root, ["env", `LLVM_OBJCOPY=${objcopy}`, "pahole", "-J", "--btf_base", `${inside}/vmlinux.btf`, path]);
    }
  }
}

/** The modules and the user program for a kernel, built when the cache does not have them. */
export async function ensurePrograms(kernel: Kernel, set: ProgramSet = "base"): Promise<GuestPrograms> {
  return withLock(`programs-${kernel.id}`, async () => {
    const dir = join(kernel.dir, "programs", programsHash(kernel, set));
    const done = join(dir, ".done");
    if (!existsSync(done)) {
      mkdirSync(dir, { recursive: true });
      await build(kernel, await ensureToolchain(kernel), set, dir);
      writeFileSync(done, "");
    }
    const modules = readdirSync(dir).flatMap((name) => (name.endsWith(".ko") ? [name.slice(0, -3)] : []));
    return { dir, modules, program: join(dir, SETS[set].program) };
  });
}
