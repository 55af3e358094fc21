/**
 * Control groups: hierarchies, groups, tasks (include/linux/cgroup-defs.h, kernel/cgroup/cgroup.c).
 *
 *   cgroup_roots ─► cgroup_root.root_list … { cgrp: the topmost group, name, hierarchy_id }      cgrp_dfl_root is version 2's
 *   cgroup.self.children ─► child cgroup.self.sibling …          cgroup.kn → kernfs_node.name
 *   cgroup.subsys[i] ─► cgroup_subsys_state { ss → name, … } of each controller that is on
 *   task.cgroups ─► css_set { dfl_cgrp (version 2), subsys[i] → cgroup (version 1) }
 *
 * Without the symbol cgroup_roots (no KALLSYMS_ALL) hierarchies are those that tasks are in.
 */
import { add, hex16, type VirtualAddress } from "../bytes/address.ts";
import { CorruptionError, InquestError } from "../bytes/errors.ts";
import { containerOf } from "../kernel/field.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { listNodes } from "./list.ts";
import { type Task, taskTable } from "./task.ts";

const MAX_ROOTS = 64;
/** More groups than any machine has. */
const MAX_GROUPS = 1 << 20;
const MAX_DEPTH = 256;
const MAX_NAME = 256;
/** Of a group that was not removed; for kernels whose types lack the enum (1 << 1 since 3.12). */
const CSS_ONLINE = 2n;

export interface CgroupController {
  readonly name: string;
  /** cgroup_subsys_state. */
  readonly state: VirtualAddress;
}

export interface Cgroup {
  readonly address: VirtualAddress;
  /** From the hierarchy's top: "/system.slice/ssh.service". */
  readonly path: string;
  readonly level: number;
  readonly controllers: readonly CgroupController[];
  /** Removed, but something still refers to it. */
  readonly dying: boolean;
}

export interface CgroupHierarchy {
  /** cgroup_root. */
  readonly address: VirtualAddress;
  readonly version: 1 | 2;
  readonly id: number;
  /** Given at mount (version 1: name=systemd); empty mostly. */
  readonly name: string;
  /** Controllers that are attached to it. */
  readonly controllers: readonly string[];
  /** Depth first, the top first. */
  readonly groups: readonly Cgroup[];
}

/** All hierarchies. undefined when the kernel has no control groups in its types. @param note told what is damaged, one line each */
export function cgroupHierarchies(kernel: Kernel, note: (text: string) => void): readonly CgroupHierarchy[] | undefined {
  const { types, memory } = kernel;
  const [root, group] = [types.tryStruct("cgroup_root"), types.tryStruct("cgroup")];
  if (root === undefined || group === undefined || !group.has("self.children")) return undefined;
  const found = new Set<VirtualAddress>();
  const head = kernel.tryAddress("cgroup_roots");
  if (head !== undefined) {
    try {
      for (const node of listNodes(memory, head, { limit: MAX_ROOTS })) found.add(containerOf(node, root.field("root_list")));
    } catch (error) {
      if (!(error instanceof CorruptionError)) throw error;
      note(`the list cgroup_roots breaks: ${error.message}`);
    }
  }
  if (found.size === 0) for (const each of rootsOfTasks(kernel)) found.add(each);
  const unified = kernel.tryAddress("cgrp_dfl_root") ?? unifiedOf(kernel);
  return [...found].flatMap((address) => {
    try {
      const top = root.field("cgrp").address(address);
      const groups = [...groupsBelow(kernel, top, note)];
      const version = address === unified ? 2 : 1;
      return [
        {
          address,
          version,
          id: root.field("hierarchy_id").number(address),
          name: root.field("name").string(address),
          controllers: (groups[0]?.controllers ?? []).map(({ name }) => name),
          groups,
        } satisfies CgroupHierarchy,
      ];
    } catch (error) {
      if (!(error instanceof InquestError)) throw error;
      note(`cgroup_root ${hex16(address)}: ${error.message}`);
      return [];
    }
  });
}

/** The group that a task is in; version 2's when no hierarchy is named. undefined: none, or it cannot be read. */
export function cgroupOfTask(kernel: Kernel, task: VirtualAddress, hierarchy?: VirtualAddress): VirtualAddress | undefined {
  const set = kernel.types.tryStruct("task_struct")?.tryField("cgroups");
  const sets = kernel.types.tryStruct("css_set");
  if (set === undefined || sets === undefined) return undefined;
  try {
    const address = set.pointer(task);
    if (address === 0n) return undefined;
    const unified = sets.field("dfl_cgrp").pointer(address);
    if (hierarchy === undefined) return unified;
    const root = kernel.types.struct("cgroup").field("root");
    if (unified !== 0n && root.pointer(unified) === hierarchy) return unified;
    for (const group of groupsOfSet(kernel, address)) if (root.pointer(group) === hierarchy) return group;
  } catch (error) {
    if (!(error instanceof InquestError)) throw error;
  }
  return undefined;
}

/** Tasks by the group they are in, of one hierarchy. */
export function tasksByCgroup(kernel: Kernel, hierarchy: VirtualAddress): ReadonlyMap<bigint, readonly Task[]> {
  const groups = new Map<bigint, Task[]>();
  for (const task of taskTable(kernel).tasks) {
    // Idle tasks of secondary CPUs are in no group's list.
    if (task.pid === 0) continue;
    const group = cgroupOfTask(kernel, task.address, hierarchy);
    if (group === undefined) continue;
    const known = groups.get(group);
    if (known === undefined) groups.set(group, [task]);
    else known.push(task);
  }
  return groups;
}

/** Groups that the controllers' states of a css_set belong to. */
function* groupsOfSet(kernel: Kernel, set: VirtualAddress): Generator<VirtualAddress> {
  const { memory, types } = kernel;
  const states = types.struct("css_set").field("subsys");
  const group = types.struct("cgroup_subsys_state").field("cgroup");
  for (let i = 0; i < states.size / 8; i++) {
    const state = memory.u64(add(states.address(set), i * 8));
    if (state !== 0n) yield group.pointer(state as VirtualAddress);
  }
}

function rootsOfTasks(kernel: Kernel): Set<VirtualAddress> {
  const roots = new Set<VirtualAddress>();
  const root = kernel.types.struct("cgroup").field("root");
  const cgroups = kernel.types.struct("task_struct").tryField("cgroups");
  const sets = kernel.types.struct("css_set");
  for (const task of taskTable(kernel).tasks) {
    try {
      const set = cgroups?.pointer(task.address) ?? 0n;
      if (set === 0n) continue;
      for (const group of [sets.field("dfl_cgrp").pointer(set as VirtualAddress), ...groupsOfSet(kernel, set as VirtualAddress)])
        if (group !== 0n) roots.add(root.pointer(group));
    } catch (error) {
      if (!(error instanceof InquestError)) throw error;
    }
  }
  roots.delete(0n as VirtualAddress);
  return roots;
}

/** Version 2's root: the one of any task's dfl_cgrp. */
function unifiedOf(kernel: Kernel): VirtualAddress | undefined {
  const first = taskTable(kernel).tasks.find(({ pid }) => pid !== 0);
  const group = first === undefined ? undefined : cgroupOfTask(kernel, first.address);
  return group === undefined ? undefined : kernel.types.struct("cgroup").field("root").pointer(group);
}

interface Pending {
  readonly address: VirtualAddress;
  readonly path: string;
  readonly level: number;
}

function* groupsBelow(kernel: Kernel, top: VirtualAddress, note: (text: string) => void): Generator<Cgroup> {
  const { memory, types } = kernel;
  const group = types.struct("cgroup");
  const [children, sibling] = [group.field("self.children"), group.field("self.sibling")];
  const online = types.constant("CSS_ONLINE") ?? CSS_ONLINE;
  const seen = new Set<bigint>();
  const pending: Pending[] = [{ address: top, path: "/", level: 0 }];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { address, path, level } = next;
    if (seen.has(address)) {
      note(`cgroup ${hex16(address)} (${path}) is its own ancestor, or in two lists`);
      continue;
    }
    seen.add(address);
    if (seen.size > MAX_GROUPS || level > MAX_DEPTH) {
      note(`more than ${level > MAX_DEPTH ? `${MAX_DEPTH} levels` : `${MAX_GROUPS} groups`}: the rest is left out`);
      return;
    }
    try {
      yield {
        address,
        path,
        level,
        controllers: controllersOf(kernel, address),
        dying: level > 0 && (group.field("self.flags").bigint(address) & online) === 0n,
      };
    } catch (error) {
      if (!(error instanceof InquestError)) throw error;
      note(`cgroup ${hex16(address)} (${path}): ${error.message}`);
      continue;
    }
    const below: Pending[] = [];
    try {
      for (const node of listNodes(memory, children.address(address), { limit: MAX_GROUPS, checkBackLinks: false })) {
        const child = containerOf(node, sibling);
        below.push({ address: child, level: level + 1, path: `${path === "/" ? "" : path}/${nameOf(kernel, child)}` });
      }
    } catch (error) {
      if (!(error instanceof CorruptionError)) throw error;
      note(`the children of cgroup ${hex16(address)} (${path}): ${error.message}`);
    }
    pending.push(...below.reverse());
  }
}

function nameOf(kernel: Kernel, group: VirtualAddress): string {
  try {
    const node = kernel.types.struct("cgroup").field("kn").pointer(group);
    return kernel.memory.cString(kernel.types.struct("kernfs_node").field("name").pointer(node), MAX_NAME);
  } catch (error) {
    if (!(error instanceof InquestError)) throw error;
    return `?${hex16(group)}`;
  }
}

function controllersOf(kernel: Kernel, group: VirtualAddress): readonly CgroupController[] {
  const { memory, types } = kernel;
  const states = types.struct("cgroup").field("subsys");
  const subsystem = types.struct("cgroup_subsys_state").field("ss");
  const name = types.struct("cgroup_subsys").field("name");
  const found: CgroupController[] = [];
  for (let i = 0; i < states.size / 8; i++) {
    const state = memory.u64(add(states.address(group), i * 8)) as VirtualAddress;
    if (state === 0n) continue;
    found.push({ name: memory.cString(name.pointer(subsystem.pointer(state)), MAX_NAME), state });
  }
  return found;
}
