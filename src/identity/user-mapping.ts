/** What a user address is for a process: its mapping, the file behind it, heap and stack. Source: fs/proc/task_mmu.c (show_map_vma). */
import type { PhysicalAddress, VirtualAddress } from "../bytes/address.ts";
import { InquestError } from "../bytes/errors.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { AddressRole } from "../linux/address-identity.ts";
import { filePath } from "../linux/file.ts";
import { userSpace } from "../linux/mm.ts";
import { readTask, type Task, taskTable } from "../linux/task.ts";
import { findVma } from "../linux/vma.ts";

export interface UserPlace {
  readonly role: AddressRole | undefined;
  readonly physical: PhysicalAddress | undefined;
  readonly unreadable: string | undefined;
}

/** The place of an address in the memory of a task. Never throws for damaged memory. */
export function userPlace(kernel: Kernel, taskAddress: VirtualAddress, address: VirtualAddress): UserPlace {
  let role: AddressRole | undefined;
  let physical: PhysicalAddress | undefined;
  let unreadable: string | undefined;
  try {
    const task = taskTable(kernel).byAddress.get(taskAddress) ?? readTask(kernel, taskAddress);
    if (task.mm === 0n) return { role, physical, unreadable: `task ${task.pid} (${task.comm}) has no user memory` };
    role = mapping(kernel, task, address);
    const space = userSpace(kernel, task.mm);
    physical = space.translate(address);
    space.u8(address);
  } catch (error) {
    if (!(error instanceof InquestError)) throw error;
    unreadable = error.message;
  }
  return { role, physical, unreadable };
}

function mapping(kernel: Kernel, task: Task, address: VirtualAddress): AddressRole | undefined {
  const vma = findVma(kernel, task.mm, address);
  if (vma === undefined) return undefined;
  const told = {
    kind: "mapping" as const,
    task: { address: task.address, pid: task.pid, comm: task.comm },
    vma: vma.address,
    start: vma.start,
    end: vma.end,
  };
  if (vma.file !== 0n) {
    const fileOffset = (vma.pageOffset << BigInt(kernel.arch.pageShift)) + (address - vma.start);
    return { ...told, file: filePath(kernel, vma.file), fileOffset };
  }
  const name = partOf(kernel, task.mm, vma.start, vma.end);
  return name === undefined ? told : { ...told, name };
}

/** "[heap]" and "[stack]" as /proc/PID/maps calls them. */
function partOf(kernel: Kernel, mm: VirtualAddress, start: bigint, end: bigint): string | undefined {
  const struct = kernel.types.tryStruct("mm_struct");
  const value = (name: string) => struct?.tryField(name)?.pointer(mm);
  const brk = value("brk");
  const startBrk = value("start_brk");
  if (brk !== undefined && startBrk !== undefined && start <= brk && end > startBrk) return "[heap]";
  const stack = value("start_stack");
  if (stack !== undefined && start <= stack && end >= stack) return "[stack]";
  return value("context.vdso") === start ? "[vdso]" : undefined;
}
