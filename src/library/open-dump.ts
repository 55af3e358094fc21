/**
 * Opens the dump with its debug information: the vmlinux that was given, when it is the dump's; else one that is found and proved by its
 * build-id; else none, and the dump alone answers.
 *
 *   dump ─► VMCOREINFO's release and build-id ─► vmlinux given? fits? ─┬► kernel
 *                     └► search, debuginfod ───────────────────────────┘
 *
 * Where VMCOREINFO does not tell, the kernel is opened without, tells who it is from its own memory, and is opened again.
 */

import { latin1 } from "../bytes/cursor.ts";
import { InquestError, UsageError } from "../bytes/errors.ts";
import { fileExists, openFile } from "../bytes/file-source.ts";
import { readUpTo } from "../bytes/read-bytes.ts";
import { prepareZstd } from "../bytes/zstd.ts";
import { debugDirectories, moduleOfFile, moduleRoots, vmlinuxPaths } from "../debug-info/debug-file-paths.ts";
import { EM_X86_64 } from "../debug-info/elf.ts";
import { machineName } from "../debug-info/machine-name.ts";
import type { Dump } from "../dump/dump.ts";
import { openDump as openContainer } from "../dump/open.ts";
import { VmcoreInfo } from "../dump/vmcoreinfo.ts";
import type { Kernel as Engine } from "../kernel/kernel.ts";
import { claimedIdentity, fitOf, type KernelIdentity, kernelIdentity, mismatch } from "../kernel/kernel-identity.ts";
import { type OpenOptions, openKernelOf } from "../kernel/open.ts";
import { findVmlinux, type OpenedVmlinux, openVmlinux } from "../kernel/vmlinux-file.ts";
import { type ModuleDebug, type ModuleDebugOptions, moduleDebug } from "../linux/module-debug.ts";
import { utsname } from "../linux/utsname.ts";
import { Kernel } from "./kernel.ts";
import { type SortedFiles, sortFiles } from "./sort-files.ts";

/** Debug information by build-id from elsewhere: a debuginfod server and its cache. */
export interface DebugInfoServer {
  /** Where an earlier download would lie; the file need not exist. */
  cached(buildId: string): string;
  /** Downloads it and gives the file's path. Absent: nothing is downloaded. Throws InquestError. */
  readonly download?: (buildId: string) => Promise<string>;
}

/** How a dump is opened. */
export interface OpenDumpOptions {
  /** Directories of debug files, searched before the system's own (`--debug-dir`). */
  readonly debugDirectories?: readonly string[];
  /** Whether a vmlinux and modules' files are searched for when none is given. Default true. */
  readonly search?: boolean;
  /** Use the given vmlinux although it is another kernel's. */
  readonly forceVmlinux?: boolean;
  readonly server?: DebugInfoServer;
  /** Memory that was left out of the dump reads as zeroes. */
  readonly zeroExcluded?: boolean;
  /** How far the search for the kernel is, 0 to 1. */
  readonly progress?: (share: number) => void;
}

/** What opening works with. */
interface Plan extends OpenDumpOptions {
  readonly files: SortedFiles;
  readonly debugDirectories: readonly string[];
  readonly search: boolean;
}

export interface OpenedDump {
  readonly kernel: Engine;
  /** The vmlinux in use, given or found. */
  readonly namelist: string | undefined;
  /** What the user must know of the debug files, one line each. */
  readonly remarks: readonly string[];
}

/** Opens everything. Throws InquestErrors of one line each. */
export async function openWithDebugInfo(files: SortedFiles, given: OpenDumpOptions = {}): Promise<OpenedDump> {
  const options: Plan = { ...given, files, debugDirectories: given.debugDirectories ?? [], search: given.search ?? true };
  const dump = await openContainer(files.dump);
  const remarks: string[] = [];
  const directories = options.search ? debugDirectories(options.debugDirectories) : [];
  const claimed = claimedIdentity(dump.vmcoreinfo === undefined ? undefined : new VmcoreInfo(dump.vmcoreinfo));
  const open = async (vmlinux: OpenedVmlinux | undefined): Promise<Engine> =>
    openKernelOf(dump, await kernelOptions(options, claimed.release, directories, vmlinux));

  let vmlinux: OpenedVmlinux | undefined;
  let kernel: Engine;
  if (files.namelist !== undefined) {
    vmlinux = await openNamed(files.namelist, options, directories, remarks);
    requireMachine(vmlinux, dump);
    kernel = await openGiven(vmlinux, claimed, open, options.forceVmlinux ?? false, remarks);
    if (vmlinux.lack !== undefined) remarks.push(`${vmlinux.path} is ${vmlinux.lack}`);
    remarks.push(...vmlinux.notes);
  } else {
    const find = (identity: KernelIdentity) => searched(identity, options, directories, remarks);
    vmlinux = await find(claimed);
    kernel = await open(vmlinux);
    // To look into the kernel's own notes takes some milliseconds, so only when something could come of it.
    if (
      claimed.buildId === undefined &&
      (options.server?.download !== undefined || mayHaveFiles(directories, claimed.release ?? utsname(kernel).release))
    ) {
      vmlinux = await find(kernelIdentity(kernel));
      if (vmlinux !== undefined) kernel = await open(vmlinux);
    }
  }
  const forModules = moduleDebug(kernel, moduleOptions(options));
  for (const path of files.modules) remarks.push(...useModule(kernel, forModules, path));
  return { kernel, namelist: vmlinux?.path, remarks };
}

/** The vmlinux of the command line, with what it lacks from a server when that is asked for. */
async function openNamed(path: string, options: Plan, directories: readonly string[], remarks: string[]): Promise<OpenedVmlinux> {
  const candidates = options.files.debugFiles;
  const vmlinux = await openVmlinux(path, { directories, candidates });
  if (vmlinux.hasDebugInfo || vmlinux.buildId === undefined || options.server?.download === undefined) return vmlinux;
  const fetched = await fetchDebugInfo(vmlinux.buildId, options, remarks);
  if (fetched === undefined) return vmlinux;
  vmlinux.close();
  return openVmlinux(path, { directories, candidates: [...candidates, fetched] });
}

function moduleOptions({ files, debugDirectories: directories, search }: Plan): ModuleDebugOptions {
  return { files: files.modules, directories, search };
}

/** A module's file that was given is opened now, so that one that does not fit is told at once and not when its module is met. */
function useModule(kernel: Engine, debug: ModuleDebug, path: string): readonly string[] {
  const name = moduleOfFile(path);
  const module = kernel.modules.find((each) => each.name === name);
  if (module === undefined) return [`${path} is not used: no module ${name === undefined ? "is named so" : `named ${name}`} is loaded`];
  try {
    kernel.debugInfo.setModule(module.name, debug.open(module, path));
    return [];
  } catch (error) {
    if (error instanceof InquestError) return [`${error.message}; it is not used`];
    throw error;
  }
}

async function kernelOptions(
  options: Plan,
  release: string | undefined,
  directories: readonly string[],
  vmlinux: OpenedVmlinux | undefined,
): Promise<OpenOptions> {
  const { modules } = options.files;
  const roots = options.search ? moduleRoots(release, directories, vmlinux?.path).filter(fileExists) : [];
  if (modules.some((path) => path.endsWith(".zst")) || roots.some(packsByZstd)) await prepareZstd();
  const useModules =
    modules.length > 0 || (options.search && (vmlinux !== undefined || options.debugDirectories.length > 0 || roots.length > 0));
  return {
    zeroExcluded: options.zeroExcluded ?? false,
    ...(options.progress === undefined ? {} : { progress: options.progress }),
    ...(vmlinux === undefined ? {} : { vmlinux }),
    ...(useModules ? { moduleDebug: (kernel: Engine) => moduleDebug(kernel, moduleOptions(options)).load } : {}),
  };
}

/** Whether the modules of a release are .ko.zst: their decoder must be there before one is wanted. depmod's list names them all. */
function packsByZstd(root: string): boolean {
  const list = `${root}/modules.dep`;
  if (!fileExists(list)) return false;
  const source = openFile(list);
  try {
    return latin1(readUpTo(source, 0, 4096)).includes(".ko.zst:");
  } finally {
    source.close();
  }
}

/** The kernel with the vmlinux that was given, once it is known to be the dump's. */
async function openGiven(
  vmlinux: OpenedVmlinux,
  claimed: KernelIdentity,
  open: (vmlinux: OpenedVmlinux | undefined) => Promise<Engine>,
  force: boolean,
  remarks: string[],
): Promise<Engine> {
  if (claimed.buildId !== undefined && claimed.buildId === vmlinux.buildId) return open(vmlinux);
  let identity: KernelIdentity;
  let alone: Engine | undefined;
  try {
    alone = await open(undefined);
    identity = kernelIdentity(alone);
  } catch (error) {
    if (!(error instanceof InquestError)) throw error;
    // Nothing but the vmlinux leads into this kernel: what lies where it puts its banner and notes will tell.
    if (!force && fitOf(claimed, vmlinux) === "differs") throw mismatch(vmlinux, claimed);
    const kernel = await open(vmlinux);
    identity = kernelIdentity(kernel);
    judge(vmlinux, identity, force, remarks);
    return kernel;
  }
  judge(vmlinux, identity, force, remarks);
  return open(vmlinux);
}

function judge(vmlinux: OpenedVmlinux, identity: KernelIdentity, force: boolean, remarks: string[]): void {
  const fit = fitOf(identity, vmlinux);
  if (fit === "fits") return;
  if (fit === "unknown") {
    remarks.push(`${vmlinux.path}: whether it belongs to the dump cannot be told: neither build-ids nor banners can be compared`);
  } else if (force) {
    remarks.push(
      `${vmlinux.path} is used although it does not belong to this dump (--force-vmlinux): what it says of types, lines and variables may be wrong`,
    );
  } else throw mismatch(vmlinux, identity);
}

/** Refused before anything is read through it: a kernel of one architecture says nothing of another. */
function requireMachine(vmlinux: OpenedVmlinux, dump: Dump): void {
  const of = vmlinux.machine === EM_X86_64 ? "x86_64" : "aarch64";
  if (dump.machine === "unknown" || dump.machine === of) return;
  throw new UsageError(
    `${vmlinux.path} is for ${machineName(vmlinux.machine)}; the dump is of ${dump.machine === "x86_64" ? "x86-64" : "arm64"}`,
  );
}

/** Whether a search could find anything, whatever the build-id. */
function mayHaveFiles(directories: readonly string[], release: string | undefined): boolean {
  return [...directories.map((each) => `${each}/.build-id`), ...vmlinuxPaths(release, undefined, directories)].some(fileExists);
}

/** A vmlinux that is proved to be the dump's, from this machine's directories or, when asked for, a server. */
async function searched(
  identity: KernelIdentity,
  options: Plan,
  directories: readonly string[],
  remarks: string[],
): Promise<OpenedVmlinux | undefined> {
  const { release } = identity;
  const { server } = options;
  if (!options.search && server?.download === undefined) return undefined;
  const ids = identity.buildId === undefined ? identity.among : [identity.buildId];
  // In the system's directories other kernels' files are to be expected; in one that was named for this dump they are not.
  const refused = (path: string, why: string) => {
    if (ids.length === 1 && options.debugDirectories.some((each) => path.startsWith(each))) remarks.push(`${path} is not used: ${why}`);
  };
  for (const buildId of ids) {
    const paths = server === undefined ? [] : [server.cached(buildId)];
    const found = await findVmlinux({ release, buildId, directories, paths, refused });
    if (found !== undefined) return found;
  }
  // A server is asked for the kernel's file and not for those of its vDSOs.
  const [buildId] = ids;
  const path = buildId !== undefined && ids.length === 1 ? await fetchDebugInfo(buildId, options, remarks) : undefined;
  return path === undefined || buildId === undefined ? undefined : findVmlinux({ release: undefined, buildId, directories, paths: [path] });
}

async function fetchDebugInfo(buildId: string, { server }: Plan, remarks: string[]): Promise<string | undefined> {
  try {
    return await server?.download?.(buildId);
  } catch (error) {
    if (!(error instanceof InquestError)) throw error;
    remarks.push(`debuginfod: ${error.message}; going on without`);
    return undefined;
  }
}

/** What a script opens besides the dump. */
export interface LibraryOpenOptions extends OpenDumpOptions {
  /** The kernel's vmlinux, or its separate debug file. Left out, the system's directories are searched for the one that fits. */
  readonly vmlinux?: string;
  /** Debug files of modules (.ko, .ko.debug, packed or not). */
  readonly modules?: readonly string[];
}

/**
 * Opens a dump (one file, or the parts of a split one) and the kernel in it: the library's entry.
 * Throws an InquestError whose message is one line: what was expected, what was found, where.
 */
export async function openDump(dump: string | readonly string[], options: LibraryOpenOptions = {}): Promise<Kernel> {
  const files = sortFiles([
    ...(typeof dump === "string" ? [dump] : dump),
    ...(options.vmlinux === undefined ? [] : [options.vmlinux]),
    ...(options.modules ?? []),
  ]);
  const { kernel, remarks } = await openWithDebugInfo(files, options);
  for (const remark of remarks) kernel.note(remark);
  return new Kernel(kernel);
}
