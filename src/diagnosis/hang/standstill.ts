/**
 * The machine as it stood still: every task's wait, the locks behind them and their holders, read once per dump and shared by all
 * detectors of hangs. Stacks are unwound again when they are asked for: 0.1 ms each, and few are.
 */
import type { VirtualAddress } from "../../bytes/address.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { ContendedLock, LockReport, LockWait } from "../../linux/locking/lock.ts";
import { lockReport } from "../../linux/locking/lock-report.ts";
import { findMentions, type StackReader } from "../../linux/locking/mentions.ts";
import { type Task, taskTable } from "../../linux/task.ts";
import type { UnwoundStack } from "../../stack/frame.ts";
import { threadSize } from "../../stack/task-stack.ts";
import { unwindTask } from "../../stack/unwind.ts";
import { guarded } from "../guarded.ts";

/** Stacks that are kept. */
const MAX_KEPT = 256;

export class Standstill {
  readonly kernel: Kernel;
  readonly report: LockReport;
  readonly reader: StackReader;
  readonly #waits = new Map<VirtualAddress, LockWait>();
  readonly #locks = new Map<VirtualAddress, ContendedLock>();
  readonly #stacks = new Map<VirtualAddress, UnwoundStack | undefined>();

  private constructor(kernel: Kernel) {
    this.kernel = kernel;
    this.reader = { stackSize: threadSize(kernel), unwind: (task) => unwindTask(kernel, task.address) };
    this.report = lockReport(kernel, this.reader);
    for (const lock of this.report.locks) {
      for (const wait of lock.waits) {
        this.#waits.set(wait.task.address, wait);
        this.#locks.set(wait.task.address, lock);
      }
    }
    for (const wait of this.report.unknown) this.#waits.set(wait.task.address, wait);
  }

  /** Once per dump. @throws LookupError when tasks cannot be read at all */
  static of(kernel: Kernel): Standstill {
    return kernel.memo(Standstill, () => new Standstill(kernel));
  }

  task(address: bigint): Task | undefined {
    return taskTable(this.kernel).byAddress.get(address);
  }

  /** What a task waits for, when it is a lock. */
  waitOf(task: bigint): LockWait | undefined {
    return this.#waits.get(task as VirtualAddress);
  }

  /** The lock that a task waits for. */
  lockOf(task: bigint): ContendedLock | undefined {
    return this.#locks.get(task as VirtualAddress);
  }

  /** A task's stack or registers hold an address. */
  mentions(task: bigint, address: bigint): boolean {
    const found = this.task(task);
    return found !== undefined && [...findMentions(this.kernel, [found], new Set([address]), this.reader)].length > 0;
  }

  /** undefined when the stack cannot be read. */
  stack(task: Task): UnwoundStack | undefined {
    if (this.#stacks.has(task.address)) return this.#stacks.get(task.address);
    const [oldest] = this.#stacks.keys();
    if (this.#stacks.size >= MAX_KEPT && oldest !== undefined) this.#stacks.delete(oldest);
    const stack = guarded(() => this.reader.unwind(task));
    this.#stacks.set(task.address, stack);
    return stack;
  }
}
