/**
 * The mappings of a process as /proc/PID/maps shows them, by walking its tree of VMAs.
 *
 *   inquest script examples/mappings.ts vmcore -- 1
 *
 * Kernel side: struct vm_area_struct (include/linux/mm_types.h); a maple tree since 6.1 (d4af56c5c7c6), before that a red-black tree
 * (mm_rb of vm_rb). Flags: VM_READ 1, VM_WRITE 2, VM_EXEC 4, VM_SHARED 8 (include/linux/mm.h).
 */
import type { Kernel, Value } from "inquest";

const hex = (value: bigint): string => value.toString(16).padStart(12, "0");

/** Name of the file's directory entry; the whole path would take the mounts. */
function fileOf(area: Value): string {
  const file = area.get("vm_file");
  if (!file.boolean()) return "";
  const dentry = file.get("f_path.dentry");
  return dentry.get(dentry.has("d_name") ? "d_name.name" : "__d_name.name").string();
}

export default function (kernel: Kernel, args: readonly string[]): string {
  const task = kernel.task(Number(args[0] ?? 1));
  if (task.kernelThread) return `${task} is a kernel thread: it has no mappings`;
  const mm = task.struct.get("mm");
  const areas = mm.has("mm_mt")
    ? [...mm.get("mm_mt").mapleTree("struct vm_area_struct")].map(({ value }) => value.dereference())
    : [...mm.get("mm_rb").rbtree("struct vm_area_struct", "vm_rb")];
  const lines = areas.map((area) => {
    const flags = area.get("vm_flags").bigint();
    const bits = [...("rwx" as const)].map((letter, bit) => (((flags >> BigInt(bit)) & 1n) === 1n ? letter : "-")).join("");
    const range = `${hex(area.get("vm_start").bigint())}-${hex(area.get("vm_end").bigint())}`;
    return `${range} ${bits}${(flags & 8n) === 0n ? "p" : "s"} ${fileOf(area)}`.trimEnd();
  });
  return [`${task}: ${lines.length} mappings`, ...lines].join("\n");
}
