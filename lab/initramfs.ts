/**
 * The initial root of a guest: busybox, the lab's scripts, drivers, faulty modules and the sleeping user process; for real kdump also the
 * crash kernel with an initial root of its own.
 *
 * A scenario with an `extra` set has that set's modules, its program (/lab/NAME/NAME) and scripts (/lab/NAME/*.sh) too. Its workload.sh and
 * truth.sh run in place of the common ones, which they call as /lab/common-workload.sh and /lab/common-truth.sh.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { type Driver, driversFor } from "./drivers.ts";
import { addPrograms, ensureGuestTools, toolPath } from "./guest-tools.ts";
import { isRolling, type Kernel } from "./kernels.ts";
import { ensurePrograms, type GuestPrograms } from "./module-build.ts";
import { NewcArchive } from "./newc.ts";
import { labSource } from "./paths.ts";
import type { Scenario } from "./scenarios.ts";

/** One dump the crash kernel makes: see guest/crash-kernel.sh. */
export interface KdumpOutput {
  readonly serial: string;
  readonly how: "flat" | "split" | "copy";
  readonly arguments: string;
}

export interface KdumpPlan {
  readonly outputs: readonly KdumpOutput[];
  readonly crashAppend: string;
}

const DRIVERS = ["virtio_pci", "virtio_blk", "virtio_mmio", "loop"];

function config(drivers: readonly Driver[], scenario: Scenario | undefined, kdump: KdumpPlan | undefined): string {
  const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;
  return [
    `LAB_DRIVERS=${quoted(drivers.map((driver) => driver.name).join(" "))}`,
    `LAB_MODULES=${quoted(scenario?.modules.join("\n") ?? "")}`,
    `LAB_TRUTH=${scenario?.truthAfterTrigger ? "after" : "before"}`,
    `LAB_TASK_LIMIT=${scenario?.taskLimit ?? 400}`,
    `LAB_CRASH_APPEND=${quoted(kdump?.crashAppend ?? "")}`,
    "",
  ].join("\n");
}

/** Scripts that an `extra` set has in place of the common ones. */
const REPLACED = ["workload.sh", "truth.sh"];

function base(toolsRoot: string, drivers: readonly Driver[], configText: string, extra?: string): NewcArchive {
  const archive = new NewcArchive();
  archive.file("bin/busybox", readFileSync(toolPath(toolsRoot, "busybox")), 0o755);
  archive.symlink("bin/sh", "busybox");
  for (const directory of ["proc", "sys", "dev", "tmp", "mnt", "etc"]) archive.directory(directory);
  for (const name of readdirSync(labSource("guest")).filter((entry) => entry.endsWith(".sh"))) {
    const renamed = extra !== undefined && REPLACED.includes(name) ? `common-${name}` : name;
    archive.file(name === "init.sh" ? "init" : `lab/${renamed}`, readFileSync(labSource("guest", name)), 0o755);
  }
  for (const driver of drivers) archive.file(`lab/drivers/${driver.name}.ko`, driver.bytes);
  archive.file("lab/config", configText);
  return archive;
}

function addModules(archive: NewcArchive, scenario: Scenario, programs: GuestPrograms): void {
  for (const name of programs.modules) {
    if (scenario.modules.some((line) => line.split(" ")[0] === name)) {
      archive.file(`lab/modules/${name}.ko`, readFileSync(join(programs.dir, `${name}.ko`)));
    }
  }
}

async function addExtra(archive: NewcArchive, kernel: Kernel, scenario: Scenario): Promise<void> {
  const { extra } = scenario;
  if (extra === undefined) return;
  const programs = await ensurePrograms(kernel, extra);
  addModules(archive, scenario, programs);
  archive.file(`lab/${extra}/${extra}`, readFileSync(programs.program), 0o755);
  for (const name of readdirSync(labSource(extra, "guest")).filter((entry) => entry.endsWith(".sh"))) {
    archive.file(REPLACED.includes(name) ? `lab/${name}` : `lab/${extra}/${name}`, readFileSync(labSource(extra, "guest", name)), 0o755);
  }
}

async function crashInitrd(kernel: Kernel, toolsRoot: string, kdump: KdumpPlan): Promise<Uint8Array> {
  const drivers = await driversFor(kernel, DRIVERS);
  const archive = base(toolsRoot, drivers, config(drivers, undefined, kdump));
  addPrograms(archive, toolsRoot, ["makedumpfile"]);
  archive.file("lab/outputs", kdump.outputs.map((output) => `${output.serial} ${output.how} ${output.arguments}\n`).join(""));
  return gzipSync(archive.finish(), { level: 1 });
}

/** Write the initial root for a scenario to `path`. */
export async function writeInitramfs(kernel: Kernel, scenario: Scenario, kdump: KdumpPlan | undefined, path: string): Promise<void> {
  const toolsRoot = await ensureGuestTools(kernel.arch, isRolling(kernel));
  const programs = await ensurePrograms(kernel);
  const wanted = [...DRIVERS, ...(scenario.withoutVmcoreinfo ? [] : ["qemu_fw_cfg"]), ...(scenario.drivers ?? [])];
  const drivers = await driversFor(kernel, wanted);
  const archive = base(toolsRoot, drivers, config(drivers, scenario, kdump), scenario.extra);
  addModules(archive, scenario, programs);
  await addExtra(archive, kernel, scenario);
  archive.file("lab/workers", readFileSync(programs.program), 0o755);
  archive.file("lab/trigger.sh", `${scenario.trigger}\n`);
  if (scenario.before !== undefined) archive.file("lab/before.sh", `${scenario.before}\n`);
  if (scenario.after !== undefined) archive.file("lab/after.sh", `${scenario.after}\n`);
  if (kdump !== undefined) {
    addPrograms(archive, toolsRoot, ["kexec"]);
    archive.file("lab/kernel", readFileSync(kernel.image));
    archive.file("lab/crash-initrd", await crashInitrd(kernel, toolsRoot, kdump));
  }
  writeFileSync(path, gzipSync(archive.finish(), { level: 1 }));
}
