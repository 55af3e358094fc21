/**
 * Which tasks `ps` shows, and what it says of each.
 *
 * Operands are pids, task addresses, names or quoted regular expressions; what they choose adds up and is shown once, in the table's
 * order (idle tasks, then by pid). The filters -k -u -G -I -y -A narrow the choice.
 */
import type { VirtualAddress } from "../../bytes/address.ts";
import { FaultError, LookupError, UsageError } from "../../bytes/errors.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { memoryTotal } from "../../linux/memory-total.ts";
import { memoryUse } from "../../linux/mm.ts";
import { POLICY_NAMES, policyNumber } from "../../linux/scheduler-policy.ts";
import { isGroupLeader, isKernelThread, parentPid, type Task, taskState, taskTable } from "../../linux/task.ts";
import { taskLayout } from "../../linux/task-layout.ts";
import type { ParsedArguments } from "../arguments.ts";
import { parseNumber } from "./evaluate.ts";

export interface PsTask {
  readonly pid: number;
  readonly ppid: number;
  readonly cpu: number;
  readonly address: VirtualAddress;
  /** Two letters: RU, IN, UN … */
  readonly state: string;
  readonly memoryPercent: number;
  /** undefined when the mm cannot be read. */
  readonly rssKiB: number | undefined;
  readonly vszKiB: number | undefined;
  readonly comm: string;
  /** Running on a CPU. */
  readonly active: boolean;
  readonly kernelThread: boolean;
}

/** The tasks that operands and filters choose. @throws LookupError, UsageError */
export function chooseTasks(kernel: Kernel, args: ParsedArguments, context: VirtualAddress | undefined): readonly Task[] {
  const { tasks, byAddress } = taskTable(kernel);
  let chosen: readonly Task[] = tasks;
  if (args.operands.length > 0) {
    const wanted = new Set<Task>();
    for (const [i, operand] of args.operands.entries()) for (const task of matching(kernel, operand, args.isQuoted(i))) wanted.add(task);
    chosen = tasks.filter((task) => wanted.has(task));
  } else if (context !== undefined) {
    const task = byAddress.get(context);
    chosen = task === undefined ? [] : [task];
  }
  if (args.has("-k") && args.has("-u")) throw new UsageError("-k and -u exclude each other");
  if (args.has("-k")) chosen = chosen.filter(isKernelThread);
  if (args.has("-u")) chosen = chosen.filter((task) => !isKernelThread(task));
  if (args.has("-G")) chosen = chosen.filter(isGroupLeader);
  if (args.has("-I")) chosen = chosen.filter((task) => !task.idle);
  if (args.has("-A")) chosen = chosen.filter((task) => task.active);
  const policies = args.value("-y");
  if (policies !== undefined) {
    const numbers = new Set(policies.split(",").map(parsePolicy));
    const { policy } = taskLayout(kernel);
    chosen = chosen.filter((task) => numbers.has(kernel.memory.tryU32(policy.address(task.address)) ?? -1));
  }
  return chosen;
}

function parsePolicy(name: string): number {
  const number = policyNumber(name.trim());
  if (number === undefined) throw new UsageError(`"${name}" is no scheduling policy (${POLICY_NAMES.join(", ")})`);
  return number;
}

/** What tasks know decides: digits are a pid if there is one, else an address, else a name. */
function matching(kernel: Kernel, operand: string, quoted: boolean): readonly Task[] {
  const { tasks, byAddress, byPid } = taskTable(kernel);
  if (quoted) {
    let pattern: RegExp;
    try {
      pattern = new RegExp(operand);
    } catch {
      throw new UsageError(`'${operand}' is no regular expression`);
    }
    return tasks.filter((task) => pattern.test(task.comm));
  }
  if (/^\d{1,7}$/.test(operand)) {
    const pid = Number(operand);
    if (pid === 0) return tasks.filter((task) => task.idle);
    const task = byPid.get(pid);
    if (task !== undefined) return [task];
  }
  const address = parseNumber(operand, 16);
  const task = address === undefined ? undefined : byAddress.get(address);
  if (task !== undefined) return [task];
  // The kernel keeps 15 characters of a name.
  const named = tasks.filter(({ comm }) => comm === operand.slice(0, 15));
  if (named.length === 0) throw new LookupError(`invalid task or pid value: ${operand} (nor is a task called so)`);
  return named;
}

/** One row of the table. */
export function psTask(kernel: Kernel, task: Task): PsTask {
  const pageKiB = kernel.arch.pageSize / 1024;
  let rssKiB: number | undefined = 0;
  let vszKiB: number | undefined = 0;
  if (task.mm !== 0n && !isKernelThread(task)) {
    try {
      const use = memoryUse(kernel, task.mm);
      rssKiB = use.residentPages * pageKiB;
      vszKiB = use.totalPages * pageKiB;
    } catch (error) {
      if (!(error instanceof FaultError)) throw error;
      rssKiB = undefined;
      vszKiB = undefined;
    }
  }
  const total = memoryTotal(kernel);
  return {
    pid: task.pid,
    ppid: parentPid(kernel, task),
    cpu: task.cpu,
    address: task.address,
    state: taskState(task),
    memoryPercent: rssKiB === undefined ? 0 : Math.round((rssKiB * 1024 * 1000) / (total.managed ?? total.present)) / 10,
    rssKiB,
    vszKiB,
    comm: task.comm,
    active: task.active,
    kernelThread: isKernelThread(task),
  };
}
