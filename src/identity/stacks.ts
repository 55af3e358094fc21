/** The stacks of all tasks and all CPUs in one table: an address is on one of them, or on none. */
import { type VirtualAddress, virtual } from "../bytes/address.ts";
import { InquestError } from "../bytes/errors.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { type AddressRange, AddressTable } from "../linux/address-table.ts";
import { type Task, taskTable } from "../linux/task.ts";
import type { StackArea } from "../stack/frame.ts";
import { StackMap } from "../stack/stack-map.ts";
import { taskStack } from "../stack/task-stack.ts";

/** Whose stack it is. */
export interface StackOwner {
  readonly area: StackArea;
  readonly start: VirtualAddress;
  /** Exclusive. */
  readonly end: VirtualAddress;
  /** Of a task's own stack. */
  readonly task: Task | undefined;
}

/** Table of stacks; made once per dump. Tasks that cannot be read are left out. */
export function stackTable(kernel: Kernel): AddressTable<StackOwner> {
  return kernel.memo(stackTable, () => {
    const ranges: AddressRange<StackOwner>[] = [];
    const add = (area: StackArea, task: Task | undefined) => {
      if (area.start === 0n) return;
      const start = virtual(area.start);
      const end = virtual(area.end);
      ranges.push({ start, end, value: { area, start, end, task } });
    };
    try {
      for (const task of taskTable(kernel).tasks) {
        try {
          add(taskStack(kernel, task.address), task);
        } catch (error) {
          if (!(error instanceof InquestError)) throw error;
        }
      }
      for (const area of StackMap.of(kernel).areas) add(area, undefined);
    } catch (error) {
      if (!(error instanceof InquestError)) throw error;
    }
    return new AddressTable(ranges);
  });
}

/** Table of task_structs, for kernels whose slab caches cannot be read, and for those in no cache (init_task). */
export function taskStructTable(kernel: Kernel): AddressTable<Task> {
  return kernel.memo(taskStructTable, () => {
    const size = BigInt(kernel.types.tryStruct("task_struct")?.size ?? 0);
    try {
      const { tasks } = taskTable(kernel);
      return new AddressTable(tasks.map((task) => ({ start: task.address, end: BigInt.asUintN(64, task.address + size), value: task })));
    } catch (error) {
      if (!(error instanceof InquestError)) throw error;
      return new AddressTable<Task>([]);
    }
  });
}
