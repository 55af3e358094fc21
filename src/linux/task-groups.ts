/**
 * Groups of tasks that the scheduler shares CPUs among (kernel/sched/sched.h, CONFIG_CGROUP_SCHED): their names and their queue on a CPU.
 *
 *   root_task_group ─► children ⇄ task_group.siblings …
 *   task_group.cfs_rq   struct cfs_rq ** indexed by CPU; since 7.2 (b8fea7af0e40) a per-CPU pointer struct cfs_rq *
 *   task_group.css.cgroup ─► kernfs_node.name; a group made by autogroup has none, but an id
 */
import { add, type VirtualAddress, virtual } from "../bytes/address.ts";
import { strip } from "../debug-info/c-type.ts";
import { containerOf } from "../kernel/field.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { attempt, gather } from "./gather.ts";
import { listNodes } from "./list.ts";

/** Deeper nesting of groups than any system has. */
export const MAX_GROUP_DEPTH = 64;
const MAX_GROUPS = 1 << 16;

/** The root's address; undefined when this kernel has no groups, or does not list the symbol. */
export function rootTaskGroup(kernel: Kernel): VirtualAddress | undefined {
  return kernel.types.tryStruct("task_group") === undefined ? undefined : kernel.tryAddress("root_task_group");
}

/** Name of a group's cgroup, "autogroup-N", "" for the root; undefined when it has none or it cannot be read. */
export function taskGroupName(kernel: Kernel, group: VirtualAddress): string | undefined {
  const struct = kernel.types.tryStruct("task_group");
  if (struct === undefined) return undefined;
  const own = attempt(
    () => {
      const autogroup = struct.tryField("autogroup")?.pointer(group) ?? 0n;
      const id = kernel.types.tryStruct("autogroup")?.tryField("id");
      const parent = struct.tryField("parent")?.pointer(group) ?? 0n;
      if (autogroup !== 0n && parent !== 0n && id !== undefined) return `autogroup-${id.number(virtual(autogroup))}`;
      const cgroup = struct.tryField("css.cgroup")?.pointer(group) ?? 0n;
      const node = cgroup === 0n ? 0n : (kernel.types.tryStruct("cgroup")?.tryField("kn")?.pointer(virtual(cgroup)) ?? 0n);
      const name = node === 0n ? 0n : (kernel.types.tryStruct("kernfs_node")?.tryField("name")?.pointer(virtual(node)) ?? 0n);
      return name === 0n ? undefined : kernel.memory.cString(virtual(name), 256);
    },
    [],
    "",
  );
  return own === "/" ? "" : own;
}

/** A group's struct cfs_rq on a CPU. @throws FaultError */
export function groupQueue(kernel: Kernel, group: VirtualAddress, cpu: number): VirtualAddress | undefined {
  const field = kernel.types.tryStruct("task_group")?.tryField("cfs_rq");
  if (field === undefined) return undefined;
  const base = field.pointer(group);
  if (base === 0n) return undefined;
  const pointer = strip(field.type);
  const array = pointer.kind === "pointer" && strip(pointer.target).kind === "pointer";
  const queue = array ? kernel.memory.u64(add(base, cpu * 8)) : kernel.perCpuAddress(base, cpu);
  return queue === 0n ? undefined : virtual(queue);
}

/** Direct children of a group. */
export function childGroups(kernel: Kernel, group: VirtualAddress, notes: string[]): readonly VirtualAddress[] {
  const struct = kernel.types.tryStruct("task_group");
  const children = struct?.tryField("children");
  const siblings = struct?.tryField("siblings");
  if (children === undefined || siblings === undefined) return [];
  const nodes = listNodes(kernel.memory, children.address(group), { limit: MAX_GROUPS, checkBackLinks: false });
  return gather(nodes, notes, `children of task group ${group.toString(16)}`).map((node) => containerOf(node, siblings));
}
