/**
 * What the reports that `inquest explain` finds come from: a vmlinux and modules' files, or a dump. Modules' files are opened when a report
 * names their module.
 */
import { join } from "node:path";
import { loadDisassembler } from "../../arch/disassembler.ts";
import { InquestError, UsageError } from "../../bytes/errors.ts";
import { readDirectory } from "../../bytes/file-source.ts";
import { prepareZstd } from "../../bytes/zstd.ts";
import { debugDirectories, moduleOfFile } from "../../debug-info/debug-file-paths.ts";
import type { LogReport } from "../../diagnosis/log-report/report.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { openVmlinux } from "../../kernel/vmlinux-file.ts";
import { kernelOfVmlinux } from "../../kernel/vmlinux-kernel.ts";
import { moduleFiles, VmlinuxModules } from "../../kernel/vmlinux-modules.ts";
import { openWithDebugInfo } from "../../library/open-dump.ts";
import { sortFiles } from "../../library/sort-files.ts";
import { registerDisassemblers } from "./disassemblers.ts";

/** More files than any release has modules. */
const MAX_FILES = 200_000;

export interface KernelFiles {
  /** A vmlinux, and modules' files. */
  readonly vmlinux: readonly string[];
  /** Directories of modules' files. */
  readonly modules: readonly string[];
  readonly dump?: string;
}

/** The kernel of the reports. */
export interface KernelOfReports {
  readonly kernel: Kernel;
  /** Makes ready what this report needs. Gives a line for each file that cannot be used. */
  prepare(report: LogReport): readonly string[];
}

/** Opened once; its disassembler is loaded too, for functions are followed in it. Throws UsageError and what opening throws. */
export async function kernelOfReports({ vmlinux, modules, dump }: KernelFiles): Promise<KernelOfReports | undefined> {
  const files = [...vmlinux.filter((path) => moduleOfFile(path) !== undefined), ...modules.flatMap(filesBelow)];
  const [namelist, second] = vmlinux.filter((path) => moduleOfFile(path) === undefined);
  if (second !== undefined) throw new UsageError(`explain: ${namelist} and ${second}: one vmlinux is enough`);
  if (namelist === undefined && dump === undefined) {
    if (files.length === 0 && modules.length === 0) return undefined;
    throw new UsageError("explain: modules' files want their kernel: --vmlinux or --dump is missing");
  }
  registerDisassemblers();
  const opened = dump === undefined ? await ofVmlinux(namelist as string, files) : await ofDump(dump, namelist, vmlinux, modules);
  await loadDisassembler(opened.kernel.arch.name);
  return opened;
}

async function ofVmlinux(path: string, files: readonly string[]): Promise<KernelOfReports> {
  const vmlinux = await openVmlinux(path, { directories: debugDirectories([]) });
  const byName = moduleFiles(files);
  if ([...byName.values()].some((file) => file.endsWith(".zst"))) await prepareZstd();
  const modules = new VmlinuxModules(vmlinux.machine, (name) => byName.get(name));
  return {
    kernel: kernelOfVmlinux(vmlinux, modules),
    prepare: (report) => modulesOf(report).flatMap((name) => attempt(() => modules.want(name))),
  };
}

async function ofDump(
  dump: string,
  namelist: string | undefined,
  given: readonly string[],
  directories: readonly string[],
): Promise<KernelOfReports> {
  const files = [dump, ...(namelist === undefined ? [] : [namelist]), ...given.filter((path) => path !== namelist)];
  const { kernel, remarks } = await openWithDebugInfo(sortFiles(files), { debugDirectories: directories });
  let told = false;
  return {
    kernel,
    prepare: () => {
      const lines = told ? [] : remarks;
      told = true;
      return lines;
    },
  };
}

/** The modules whose functions stand in a report. */
function modulesOf({ pc, traces }: LogReport): readonly string[] {
  const names = [pc?.module, ...traces.flatMap(({ frames }) => frames.map(({ module }) => module))];
  return [...new Set(names.filter((name) => name !== undefined))];
}

function attempt(work: () => void): readonly string[] {
  try {
    work();
    return [];
  } catch (error) {
    if (error instanceof InquestError) return [`${error.message}; it is not used`];
    throw error;
  }
}

/** Links to directories (build, source) are not followed: they lead out of the tree. */
function filesBelow(top: string): readonly string[] {
  if (readDirectory(top) === undefined) throw new UsageError(`explain: ${top} is no directory that can be read`);
  const files: string[] = [];
  const open = [top];
  let seen = 0;
  for (let directory = open.pop(); directory !== undefined && seen < MAX_FILES; directory = open.pop()) {
    for (const { name, directory: isDirectory } of readDirectory(directory) ?? []) {
      seen++;
      if (isDirectory) open.push(join(directory, name));
      else if (moduleOfFile(name) !== undefined) files.push(join(directory, name));
    }
  }
  return files;
}
