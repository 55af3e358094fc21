/**
 * Builds the lab's faulty modules and its sleeping user process for one kernel. Split BTF comes from kbuild where the headers carry a
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
  readonly workers: string;
}

/** Modules whose BTF is taken away. */
export const WITHOUT_BTF: readonly string[] = ["lab_hang", "lab_many"];

function sources(): { path: string; name: string }[] {
  const modules = readdirSync(labSource("modules")).map((name) => ({ path: labSource("modules", name), name }));
  return [...modules, { path: labSource("guest", "workers.c"), name: "workers.c" }];
}

/** A hash of everything the programs are made from. */
export function programsHash(kernel: Kernel): string {
  const hash = createHash("sha256").update(`${kernel.packageName} ${kernel.packageVersion}`);
  for (const { path, name } of sources()) hash.update(name).update(readFileSync(path));
  return hash.digest("hex").slice(0, 16);
}

async function build(kernel: Kernel, toolchain: Toolchain, out: string): Promise<void> {
  const inside = `/lab-${kernel.id}`;
  const work = join(toolchain.root, inside);
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work, { recursive: true });
  for (const { path, name } of sources()) copyFileSync(path, join(work, name));
  const make = (command: readonly string[]) => runInRoot(toolchain.root, command, { timeoutMs: 300_000 });
  await make(["make", "-j2", "-C", toolchain.headers, `M=${inside}`, ...kbuildArguments(kernel, toolchain), "modules"]);
  await make([toolchain.cc, "-static", "-O2", "-pthread", "-o", `${inside}/workers`, `${inside}/workers.c`]);
  const modules = readdirSync(work).filter((name) => name.endsWith(".ko"));
  await settleBtf(kernel, toolchain, inside, modules);
  for (const name of [...modules, "workers"]) copyFileSync(join(work, name), join(out, name));
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

async function settleBtf(kernel: Kernel, toolchain: Toolchain, inside: string, modules: readonly string[]): Promise<void> {
  const objcopy = kernel.arch === "arm64" ? "aarch64-linux-gnu-objcopy" : "objcopy";
  const base = await baseBtf(kernel, toolchain);
  if (base !== undefined) writeFileSync(join(toolchain.root, inside, "vmlinux.btf"), base);
  for (const name of modules) {
    const path = `${inside}/${name}`;
    if (WITHOUT_BTF.includes(name.replace(".ko", ""))) {
      await runInRoot(toolchain.root, [objcopy, "--remove-section=.BTF", "--remove-section=.BTF.base", path]);
    } else if (base !== undefined) {
      await runInRoot(toolchain.root, ["env", `LLVM_OBJCOPY=${objcopy}`, "pahole", "-J", "--btf_base", `${inside}/vmlinux.btf`, path]);
    }
  }
}

/** The modules and the user program for a kernel, built when the cache does not have them. */
export async function ensurePrograms(kernel: Kernel): Promise<GuestPrograms> {
  return withLock(`programs-${kernel.id}`, async () => {
    const dir = join(kernel.dir, "programs", programsHash(kernel));
    const done = join(dir, ".done");
    if (!existsSync(done)) {
      mkdirSync(dir, { recursive: true });
      await build(kernel, await ensureToolchain(kernel), dir);
      writeFileSync(done, "");
    }
    const modules = readdirSync(dir).flatMap((name) => (name.endsWith(".ko") ? [name.slice(0, -3)] : []));
    return { dir, modules, workers: join(dir, "workers") };
  });
}
