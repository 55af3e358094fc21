/** Opens a case of a kernel that the lab built itself, with its vmlinux and the debug files of its modules. */
import type { CachedCase, LabDump } from "../../lab/case-record.ts";
import { dwarfDebugInfo } from "../../src/kernel/dwarf-factory.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import { openKernel } from "../../src/kernel/open.ts";
import { openVmlinux } from "../../src/kernel/vmlinux-file.ts";

/** The kernel of a case's dump (default: its first). */
export async function openBuilt(lab: CachedCase & { readonly vmlinux: string }, dump: LabDump | undefined = lab.dumps[0]): Promise<Kernel> {
  const vmlinux = await openVmlinux(lab.vmlinux, { debugInfo: dwarfDebugInfo });
  return openKernel(dump?.files ?? [], { vmlinux });
}
