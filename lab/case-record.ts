/**
 * A case that has been made, as tests and benchmarks see it: `case.json` in its directory, with paths relative to it. One case is one death
 * of one kernel; its dumps are the same memory in several formats.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Arch, type Kernel, vmlinuxOf } from "./kernels.ts";
import { cacheDir } from "./paths.ts";

export type DumpFormat = "elf" | "kdump" | "raw" | "lime" | "avml";
export type DumpCompression = "none" | "zlib" | "lzo" | "snappy" | "zstd" | "snappy-framed";

export interface LabDump {
  /** Its word within the case: `elf`, `kdump-zlib-flat`, `zstd-d31`, `avml2`. */
  readonly name: string;
  /** One file, or the parts of a split dump in order. In `case.json` relative to it, absolute once loaded. */
  readonly files: readonly string[];
  readonly format: DumpFormat;
  readonly compression: DumpCompression;
  readonly flattened: boolean;
  /** makedumpfile's dump level; undefined when everything is there. */
  readonly level?: number;
  readonly by: "hypervisor" | "makedumpfile" | "kernel" | "lab";
  readonly vmcoreinfo: boolean;
  /** Physical address of the first byte, for raw memory. */
  readonly address?: number;
}

export interface LabCase {
  readonly schema: 1;
  readonly id: string;
  /** Hash of what the case was made from. */
  readonly key: string;
  readonly arch: Arch;
  readonly scenario: string;
  /** Made for benches. */
  readonly forSpeed?: true;
  /** The planted fault it died of: see fault-cases.ts. */
  readonly fault?: string;
  /** When not the usual two. */
  readonly cpus?: number;
  readonly about: string;
  readonly capture: "hypervisor" | "kdump";
  /** `uname -r` of the kernel that died. */
  readonly release: string;
  readonly kernel: Kernel;
  readonly cpu: string;
  readonly memoryMiB: number;
  readonly append: string;
  readonly seconds: number;
  readonly dumps: readonly LabDump[];
}

/** A case as it lies in the cache, with absolute paths. */
export interface CachedCase extends LabCase {
  readonly dir: string;
  readonly consolePath: string;
  readonly truthDir: string;
  /** Directory of the lab's own modules (`lab_*.ko`, with debug information) that were loaded or could have been. */
  readonly modulesDir: string;
  /** The kernel's `vmlinux` when it has been fetched (`--dbg`). */
  readonly vmlinux: string | undefined;
}

/** Directory of a case, made or not. */
export function caseDir(id: string): string {
  return join(cacheDir("cases"), id);
}

/** The case when it is in the cache. */
export function loadCase(id: string): CachedCase | undefined {
  const dir = caseDir(id);
  const path = join(dir, "case.json");
  if (!existsSync(path)) return undefined;
  const record = JSON.parse(readFileSync(path, "utf8")) as LabCase;
  return {
    ...record,
    dir,
    dumps: record.dumps.map((dump) => ({ ...dump, files: dump.files.map((file) => join(dir, file)) })),
    consolePath: join(dir, "console.log"),
    truthDir: join(dir, "truth"),
    modulesDir: join(dir, "modules"),
    vmlinux: vmlinuxOf(record.kernel),
  };
}

function allInCache(): CachedCase[] {
  return readdirSync(cacheDir("cases"))
    .filter((name) => !name.includes(".partial"))
    .sort()
    .flatMap((id) => loadCase(id) ?? []);
}

/** All cases of packaged kernels in the cache but planted faults and those made for benches: their dumps can be read without a vmlinux. */
export function cachedCases(): CachedCase[] {
  return allInCache().filter((lab) => lab.kernel.buildDir === undefined && lab.forSpeed === undefined && lab.fault === undefined);
}

/** All cases of planted faults in the cache; with their labels they are faultCases(). */
export function faultsInCache(): (CachedCase & { readonly fault: string })[] {
  return allInCache().flatMap((lab) => (lab.fault === undefined ? [] : [{ ...lab, fault: lab.fault }]));
}

/**
 * All cases in the cache of kernels that the lab built itself. Their dumps lack what only a vmlinux can tell; those of a kernel that has
 * been built anew since are left out, as its vmlinux is another.
 */
export function builtCases(): (CachedCase & { readonly vmlinux: string })[] {
  return allInCache().flatMap((lab) => {
    const { kernel, vmlinux } = lab;
    const record = join(kernel.dir, "kernel.json");
    if (kernel.buildDir === undefined || vmlinux === undefined || !existsSync(record)) return [];
    const now = JSON.parse(readFileSync(record, "utf8")) as Kernel;
    return now.packageVersion === kernel.packageVersion ? [{ ...lab, vmlinux }] : [];
  });
}

/** One dump of a case by its name. */
export function dumpNamed(lab: CachedCase, name: string): LabDump {
  const dump = lab.dumps.find((candidate) => candidate.name === name);
  if (dump === undefined) throw new Error(`${lab.id} has no dump ${name}, only ${lab.dumps.map((candidate) => candidate.name).join(", ")}`);
  return dump;
}

/** Of a kernel with CONFIG_PREEMPT_RT: its mutexes and spinlocks are rt_mutexes, a rw_semaphore knows no reader's name. */
export function isRealTime({ kernel }: LabCase): boolean {
  return kernel.flavour.startsWith("rt-");
}
