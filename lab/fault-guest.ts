/**
 * What goes into a guest with a planted fault: its one module, built and hashed on its own (a change in one makes no other case stale), the
 * drivers it asks for, and scripts that do next to nothing else.
 */
import { createHash } from "node:crypto";
import { copyFileSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { gzipSync } from "node:zlib";
import { driversFor } from "./drivers.ts";
import { moduleOf, type PlantedFault } from "./faults/planted-fault.ts";
import { ensureGuestTools, toolPath } from "./guest-tools.ts";
import { sourceFiles } from "./kernel-source.ts";
import type { Kernel } from "./kernels.ts";
import { withLock } from "./lock.ts";
import { type GuestPrograms, settleBtf } from "./module-build.ts";
import { NewcArchive } from "./newc.ts";
import { labSource } from "./paths.ts";
import type { Scenario } from "./scenarios.ts";
import { ensureToolchain, kbuildArguments, runInRoot } from "./toolchain.ts";

const DRIVERS = ["virtio_pci", "virtio_blk", "virtio_mmio", "qemu_fw_cfg"];

function sourcesOf(fault: PlantedFault): string[] {
  if (fault.source !== undefined) return [];
  return readdirSync(labSource("faults", fault.name)).filter((name) => /\.[ch]$/.test(name));
}

/** Put the module's source into `work`; the arguments of make that it takes. */
async function placeSources(kernel: Kernel, fault: PlantedFault, work: string): Promise<readonly string[]> {
  for (const name of sourcesOf(fault)) copyFileSync(labSource("faults", fault.name, name), join(work, name));
  if (fault.source !== undefined) {
    const from = await sourceFiles(kernel.suite, fault.source.path);
    cpSync(from, statSync(from).isDirectory() ? work : join(work, basename(from)), { recursive: true });
  }
  if (fault.source?.settings !== undefined) return fault.source.settings;
  writeFileSync(join(work, "Kbuild"), `obj-m := ${moduleOf(fault)}.o\n`);
  return [];
}

/** A hash of what the module is made from. */
export function faultModuleHash(kernel: Kernel, fault: PlantedFault): string {
  const hash = createHash("sha256").update(`${kernel.packageName} ${kernel.packageVersion} ${fault.withoutBtf === true}`);
  if (fault.source !== undefined) hash.update(JSON.stringify(fault.source));
  for (const name of sourcesOf(fault)) hash.update(name).update(readFileSync(labSource("faults", fault.name, name)));
  return hash.digest("hex").slice(0, 16);
}

/** A hash of the module and of the scripts that all these guests share. */
export function faultGuestHash(kernel: Kernel, fault: PlantedFault): string {
  const hash = createHash("sha256").update(faultModuleHash(kernel, fault));
  for (const name of readdirSync(labSource("fault-guest")).sort()) hash.update(readFileSync(labSource("fault-guest", name)));
  return hash.digest("hex").slice(0, 16);
}

async function build(kernel: Kernel, fault: PlantedFault, out: string): Promise<void> {
  const toolchain = await ensureToolchain(kernel);
  const name = moduleOf(fault);
  const inside = `/lab-fault-${kernel.id}-${name}`;
  const work = join(toolchain.root, inside);
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work, { recursive: true });
  const settings = await placeSources(kernel, fault, work);
  const command = ["make", "-C", toolchain.headers, `M=${inside}`, ...settings, ...kbuildArguments(kernel, toolchain), "modules"];
  await runInRoot(toolchain.root, command, { timeoutMs: 300_000 });
  const module = `${name}.ko`;
  await settleBtf(kernel, toolchain, inside, [module], fault.withoutBtf ? [name] : []);
  copyFileSync(join(work, module), join(out, module));
  rmSync(work, { recursive: true });
}

/** The fault's module for a kernel, built when the cache does not have it. */
export async function ensureFaultModule(kernel: Kernel, fault: PlantedFault): Promise<Pick<GuestPrograms, "dir" | "modules">> {
  return withLock(`programs-${kernel.id}`, async () => {
    const dir = join(kernel.dir, "programs", `fault-${moduleOf(fault)}-${faultModuleHash(kernel, fault)}`);
    const done = join(dir, ".done");
    if (!existsSync(done)) {
      mkdirSync(dir, { recursive: true });
      await build(kernel, fault, dir);
      writeFileSync(done, "");
    }
    return { dir, modules: [moduleOf(fault)] };
  });
}

/** Write the initial root for a planted fault to `path`. */
export async function writeFaultInitramfs(kernel: Kernel, fault: PlantedFault, scenario: Scenario, path: string): Promise<void> {
  const toolsRoot = await ensureGuestTools(kernel.arch);
  const { dir } = await ensureFaultModule(kernel, fault);
  const drivers = await driversFor(kernel, [...DRIVERS, ...(fault.drivers ?? [])]);
  const archive = new NewcArchive();
  archive.file("bin/busybox", readFileSync(toolPath(toolsRoot, "busybox")), 0o755);
  archive.symlink("bin/sh", "busybox");
  for (const directory of ["proc", "sys", "dev", "tmp", "mnt", "etc", "sbin"]) archive.directory(directory);
  archive.file("init", readFileSync(labSource("fault-guest", "init.sh")), 0o755);
  for (const driver of drivers) archive.file(`lab/drivers/${driver.name}.ko`, driver.bytes);
  archive.file(`lab/modules/${moduleOf(fault)}.ko`, readFileSync(join(dir, `${moduleOf(fault)}.ko`)));
  const names = drivers.map((driver) => driver.name).join(" ");
  archive.file("lab/config", `LAB_DRIVERS='${names}'\nLAB_MODULE='${scenario.modules.join(" ")}'\n`);
  archive.file("lab/trigger.sh", `${scenario.trigger}\n`);
  if (scenario.before !== undefined) archive.file("lab/before.sh", `${scenario.before}\n`);
  if (scenario.after !== undefined) archive.file("lab/after.sh", `${scenario.after}\n`);
  writeFileSync(path, gzipSync(archive.finish(), { level: 1 }));
}
