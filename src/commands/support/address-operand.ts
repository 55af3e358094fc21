/**
 * An address operand with crash's CPU suffix: `ffff888003a4c000`, `init_task`, `(init_task + 8)`, `runqueues:0,2`, `60fdb48026c8:a`.
 */
import type { VirtualAddress } from "../../bytes/address.ts";
import { UsageError } from "../../bytes/errors.ts";
import { isPerCpu } from "../../kernel/expression/scope.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { cpuMasks } from "../../linux/cpu.ts";
import { taskAt } from "../../linux/task.ts";
import type { Session } from "../command.ts";
import { parseCpuList, splitCpuSuffix } from "./cpu-list.ts";
import { parseAddress } from "./numbers.ts";

export interface AddressTarget {
  readonly address: VirtualAddress;
  /** Set when the operand named CPUs. */
  readonly cpu?: number;
}

/** One address, or one for each CPU that was named. Throws UsageError or LookupError. */
export function addressTargets(session: Session, text: string): readonly AddressTarget[] {
  const { kernel } = session;
  const { name, cpus } = splitCpuSuffix(text);
  if (cpus !== undefined) {
    const base = parseAddress(kernel, name);
    return chosenCpus(session, cpus).map((cpu) => ({ cpu, address: kernel.perCpuAddress(base, cpu) }));
  }
  refusePerCpu(kernel, text);
  return [{ address: parseAddress(kernel, text) }];
}

/** CPUs of a suffix; an empty one stands for the CPU of the context task, as in crash. */
export function chosenCpus(session: Session, cpus: string): readonly number[] {
  const { kernel } = session;
  const possible = cpuMasks(kernel).possible.filter((cpu) => kernel.perCpuOffsets[cpu] !== undefined);
  return cpus === "" ? [taskAt(kernel, session.context).cpu] : parseCpuList(cpus, possible);
}

/** A per-CPU symbol has an address only together with a CPU. */
function refusePerCpu(kernel: Kernel, name: string): void {
  const symbol = /^[A-Za-z_]/.test(name) ? kernel.symbols.byName(name) : undefined;
  if (symbol !== undefined && isPerCpu(kernel, symbol))
    throw new UsageError(`${name} is per-CPU: say which CPU's: ${name}:0 (or :a for all)`);
}
