/**
 * Makes one case: boots the guest, waits for its end, saves the dumps and the guest's own word, and files it in the cache. A case whose
 * sources (kernel, scenario, scripts, modules) have not changed is not made again.
 */
import { createHash } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isBuilt } from "./built-kernels.ts";
import { type CachedCase, caseDir, type LabCase, type LabDump, loadCase } from "./case-record.ts";
import type { CasePlan } from "./cases.ts";
import { ensureKernel } from "./ensure-kernel.ts";
import { ensureFaultModule, faultGuestHash, writeFaultInitramfs } from "./fault-guest.ts";
import { deriveDumps, digHoles, plainDumps, saveHypervisorDumps } from "./hypervisor-dumps.ts";
import { writeInitramfs } from "./initramfs.ts";
import { collectKdumpOutputs, kdumpOutputs, kdumpPlan } from "./kdump-outputs.ts";
import type { Kernel } from "./kernels.ts";
import { withLock } from "./lock.ts";
import { ensurePrograms, type GuestPrograms, programsHash } from "./module-build.ts";
import { labSource } from "./paths.ts";
import { run } from "./process.ts";
import { bootGuest, defaultCpu, type Guest, type GuestDisk } from "./qemu.ts";

/** Raised when the way cases are made changes what comes out. */
const RECIPE = 1;

/**
 * Memory for the crash kernel. On x86-64 the kernel's own place is random, and what is left below or above it must still hold this much in
 * one piece.
 */
const CRASH_KERNEL_MIB = { amd64: 192, arm64: 256 } as const;

const USUAL_FORMATS = ["elf", "kdump-zlib"];
const TRUTH_MIB = 96;
/** Between the panic notifiers, which print the kernel's offset, and the end of panic(). */
const LAST_WORD_MS = 2_000;
/** KASAN and lockdep under emulation on a busy machine take minutes. */
const BOOT_TIMEOUT_MS = 600_000;
const DEATH_TIMEOUT_MS = 120_000;
/** A planted fault dies soon or not at all, and the next guest waits. */
const FAULT_DEATH_TIMEOUT_MS = 50_000;
const KDUMP_TIMEOUT_MS = 240_000;

/** Labels and descriptions are left out: they change nothing in a dump. */
function faultCaseKey(plan: CasePlan, kernel: Kernel): string | undefined {
  if (plan.fault === undefined) return undefined;
  const { panic, about: _, ...scenario } = plan.scenario;
  const hash = createHash("sha256").update(JSON.stringify([RECIPE, plan.id, plan.cpus ?? 2, scenario, panic.source]));
  return hash.update(faultGuestHash(kernel, plan.fault)).digest("hex").slice(0, 16);
}

function usualCaseKey(plan: CasePlan, kernel: Kernel): string {
  const { panic, ...scenario } = plan.scenario;
  const hash = createHash("sha256").update(JSON.stringify([RECIPE, plan.id, plan.capture, plan.everyFormat, scenario, panic.source]));
  hash.update(programsHash(kernel)).update(kernelAppend(plan));
  const scripts = readdirSync(labSource("guest")).filter((name) => plan.capture === "kdump" || !name.includes("crash-kernel"));
  for (const name of scripts.sort()) hash.update(name).update(readFileSync(labSource("guest", name)));
  if (scenario.extra !== undefined) {
    hash.update(programsHash(kernel, scenario.extra));
    for (const name of readdirSync(labSource(scenario.extra, "guest")).sort()) {
      hash.update(name).update(readFileSync(labSource(scenario.extra, "guest", name)));
    }
  }
  return hash.digest("hex").slice(0, 16);
}

function caseKey(plan: CasePlan, kernel: Kernel): string {
  return faultCaseKey(plan, kernel) ?? usualCaseKey(plan, kernel);
}

/** What a kernel of ours wants on its command line. */
function kernelAppend({ kernel }: CasePlan): string {
  return isBuilt(kernel) ? kernel.append : "";
}

function memoryFor(plan: CasePlan): number {
  if (plan.capture === "hypervisor") return plan.scenario.memoryMiB ?? 256;
  return (plan.scenario.memoryMiB ?? 320) + CRASH_KERNEL_MIB[plan.kernel.arch];
}

function fail(plan: CasePlan, guest: Guest, what: string): never {
  throw new Error(`${plan.id}: ${what}; the console ends with:\n${guest.console().split("\n").slice(-15).join("\n")}`);
}

async function waitForDeath(plan: CasePlan, guest: Guest, disks: readonly GuestDisk[]): Promise<void> {
  const slow = disks.findIndex((disk) => disk.serial === plan.scenario.slowDisk);
  if (slow >= 0) {
    if (!(await guest.waitFor(/LAB-SLOW/, BOOT_TIMEOUT_MS))) fail(plan, guest, "the guest did not come as far as its slow disk");
    await guest.slowDown(slow);
  }
  // What a process wrote to the terminal last may be lost in a panic.
  if (!(await guest.waitFor(/LAB-TRIGGER|end Kernel panic/, BOOT_TIMEOUT_MS)))
    fail(plan, guest, "the guest did not come as far as its trigger");
  if (plan.scenario.injectNmi) {
    await new Promise((resolve) => setTimeout(resolve, 3000));
    await guest.qmp.command("inject-nmi");
  }
  for (const line of plan.scenario.monitor ?? []) await guest.qmp.command("human-monitor-command", { "command-line": line });
  if (plan.capture === "kdump") {
    // A panic that reaches its end found no crash kernel to start.
    await guest.waitFor(/LAB-OUTPUTS-DONE|end Kernel panic/, KDUMP_TIMEOUT_MS);
    if (!/LAB-OUTPUTS-DONE/.test(guest.console())) fail(plan, guest, "the crash kernel did not save the dumps");
  } else if (
    !(await guest.waitFor(/end Kernel panic|Kernel Offset: /, plan.fault === undefined ? DEATH_TIMEOUT_MS : FAULT_DEATH_TIMEOUT_MS))
  )
    fail(plan, guest, "the guest did not die as it should");
  // Before 5.15 what panic() says last in an NMI or a double fault stays in printk_safe's buffer: the offset then ends the console.
  else await guest.waitFor(/end Kernel panic/, LAST_WORD_MS);
  // With a crash kernel loaded an oops goes straight to it, before panic() would say its word.
  if (plan.capture === "hypervisor" && !plan.scenario.panic.test(guest.console())) fail(plan, guest, "the guest died of something else");
}

async function unpackTruth(disk: string, dir: string): Promise<void> {
  mkdirSync(dir, { recursive: true });
  await run("tar", ["-x", "-f", disk, "-C", dir]);
  rmSync(disk);
}

async function capture(plan: CasePlan, kernel: Kernel, dir: string): Promise<Omit<LabCase, "seconds" | "key">> {
  const { scenario } = plan;
  const memoryMiB = memoryFor(plan);
  const outputs = plan.capture === "kdump" ? kdumpOutputs(kernel, plan.everyFormat) : [];
  const kdump = plan.capture === "kdump" ? kdumpPlan(kernel, outputs) : undefined;
  const reserve = kdump === undefined ? "" : `crashkernel=${CRASH_KERNEL_MIB[kernel.arch]}M`;
  const append = ["oops=panic panic=0", reserve, scenario.append, kernelAppend(plan)].filter(Boolean).join(" ");
  const cpu = scenario.cpu?.[kernel.arch] ?? (kernel.flavour.endsWith("16k") ? "max" : defaultCpu(kernel.arch));
  const work = join(dir, "work");
  for (const name of ["dumps", "work"]) mkdirSync(join(dir, name), { recursive: true });
  const initrd = join(work, "initrd");
  if (plan.fault === undefined) await writeInitramfs(kernel, scenario, kdump, initrd);
  else await writeFaultInitramfs(kernel, plan.fault, scenario, initrd);
  const disks: GuestDisk[] = [{ serial: "truth", path: join(work, "truth"), mebibytes: TRUTH_MIB }];
  for (const { serial, mebibytes } of scenario.disks ?? []) disks.push({ serial, path: join(work, serial), mebibytes });
  for (const { serial } of outputs) disks.push({ serial, path: join(work, serial), mebibytes: memoryMiB + 64 });
  const consolePath = join(dir, "console.log");
  const guest = await bootGuest({
    arch: kernel.arch,
    image: kernel.image,
    initrd,
    append,
    memoryMiB,
    cpu,
    ...(plan.cpus !== undefined && { cpus: plan.cpus }),
    disks,
    ...(scenario.devices !== undefined && { devices: scenario.devices }),
    console: consolePath,
  });
  let dumps: LabDump[] = [];
  try {
    await waitForDeath(plan, guest, disks);
    await guest.qmp.command("stop");
    if (plan.capture === "hypervisor") {
      const formats = plan.everyFormat ? "all" : (scenario.formats ?? USUAL_FORMATS);
      dumps = await saveHypervisorDumps(guest, dir, !scenario.withoutVmcoreinfo, formats);
    }
  } finally {
    await guest.end();
  }
  await unpackTruth(join(work, "truth"), join(dir, "truth"));
  if (plan.capture === "kdump") dumps = await collectKdumpOutputs(outputs, work, dir);
  else if (plan.fault !== undefined) dumps = await plainDumps(dir, dumps);
  else if (plan.everyFormat && scenario.name === "null") dumps.push(...(await deriveDumps(dir, dumps)));
  for (const file of dumps.flatMap((dump) => dump.files)) await digHoles(join(dir, file));
  rmSync(work, { recursive: true });
  return {
    schema: 1,
    id: plan.id,
    arch: kernel.arch,
    scenario: scenario.name,
    ...(scenario.forSpeed === undefined ? {} : { forSpeed: true }),
    ...(plan.fault === undefined ? {} : { fault: plan.fault.name }),
    ...(plan.cpus === undefined ? {} : { cpus: plan.cpus }),
    about: scenario.about,
    capture: plan.capture,
    release: `${kernel.version}-${kernel.flavour}`,
    kernel,
    cpu,
    memoryMiB,
    append,
    dumps,
  };
}

function keepModules(from: string, names: readonly string[], to: string): void {
  mkdirSync(to, { recursive: true });
  for (const name of names) copyFileSync(join(from, `${name}.ko`), join(to, `${name}.ko`));
}

/** What is built for a case: its sets of modules. */
export async function ensureModules(plan: CasePlan, kernel: Kernel): Promise<readonly Pick<GuestPrograms, "dir" | "modules">[]> {
  if (plan.fault !== undefined) return [await ensureFaultModule(kernel, plan.fault)];
  const base = await ensurePrograms(kernel);
  return plan.scenario.extra === undefined ? [base] : [base, await ensurePrograms(kernel, plan.scenario.extra)];
}

/** The case, made when the cache does not have it as it would be made today. */
export async function ensureCase(plan: CasePlan): Promise<CachedCase> {
  const kernel = await ensureKernel(plan.kernel);
  const sets = await ensureModules(plan, kernel);
  const key = caseKey(plan, kernel);
  return withLock(`case-${plan.id}`, async () => {
    const known = loadCase(plan.id);
    if (known?.key === key) return known;
    const final = caseDir(plan.id);
    const partial = `${final}.partial`;
    rmSync(partial, { recursive: true, force: true });
    mkdirSync(partial, { recursive: true });
    // One guest at a time: two virtual CPUs fill a small machine.
    const [made, seconds] = await withLock("qemu", async () => {
      const start = Date.now();
      return [await capture(plan, kernel, partial), (Date.now() - start) / 1000] as const;
    }).catch((error: unknown) => {
      const consolePath = join(partial, "console.log");
      if (existsSync(consolePath)) copyFileSync(consolePath, `${final}.failed-console.log`);
      rmSync(partial, { recursive: true, force: true });
      throw error;
    });
    for (const set of sets) keepModules(set.dir, set.modules, join(partial, "modules"));
    const record: LabCase = { ...made, key, seconds };
    writeFileSync(join(partial, "case.json"), `${JSON.stringify(record, null, 2)}\n`);
    if (existsSync(final)) rmSync(final, { recursive: true });
    renameSync(partial, final);
    rmSync(`${final}.failed-console.log`, { force: true });
    return loadCase(plan.id)!;
  });
}
