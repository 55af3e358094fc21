/** A case of the lab opened for scoring: alone, with its vmlinux and its modules' files, or through an overlay. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { CachedCase, LabDump } from "../../../lab/case-record.ts";
import type { Dump } from "../../../src/dump/dump.ts";
import { openDump } from "../../../src/dump/open.ts";
import { dwarfDebugInfo } from "../../../src/kernel/dwarf-factory.ts";
import type { Kernel } from "../../../src/kernel/kernel.ts";
import { type OpenOptions, openKernelOf } from "../../../src/kernel/open.ts";
import { openVmlinux } from "../../../src/kernel/vmlinux-file.ts";
import { moduleDebug } from "../../../src/linux/module-debug.ts";

/** The dump that is scored: the one with all memory, whose bytes lie plain in the file, when there is one. */
export function scoredDump(lab: CachedCase): LabDump | undefined {
  return lab.dumps.find(({ name }) => name === "elf") ?? lab.dumps[0];
}

export async function openLabDump(dump: LabDump): Promise<Dump> {
  return openDump(dump.files);
}

/** Options with debug information: of the kernel, and of the lab's modules. */
export async function described(lab: CachedCase): Promise<OpenOptions | undefined> {
  if (lab.vmlinux === undefined || !existsSync(lab.vmlinux)) return undefined;
  const vmlinux = await openVmlinux(lab.vmlinux, { debugInfo: dwarfDebugInfo });
  const files = existsSync(lab.modulesDir) ? readdirSync(lab.modulesDir).map((name) => join(lab.modulesDir, name)) : [];
  return { vmlinux, moduleDebug: (kernel: Kernel) => moduleDebug(kernel, { files, search: false }).load };
}

/** The kernel in a dump; `dump` may be an overlay. Built kernels need their vmlinux. */
export function kernelIn(dump: Dump, options: OpenOptions = {}): Kernel {
  return openKernelOf(dump, options);
}
