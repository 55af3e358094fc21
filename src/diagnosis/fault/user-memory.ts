/**
 * Memory of the task's own user space that the kernel touched as if it were its own: a pointer that a program passed in and that no copy
 * routine guards. SMAP (x86) and PAN (arm64) stop it even where the page is there; arch/x86/mm/fault.c (do_user_addr_fault: "supervisor
 * mode access without AC"), arch/arm64/mm/fault.c (die_kernel_fault "access to user memory outside uaccess routines").
 */
import { virtual } from "../../bytes/address.ts";
import { findVma, type Vma } from "../../linux/vma.ts";
import { vmaName } from "../../linux/vma-name.ts";
import { guarded } from "../guarded.ts";
import type { Check } from "../verdict.ts";
import type { FaultCase } from "./fault-case.ts";

export interface UserMemory {
  readonly vma: Vma;
  /** As in /proc/PID/maps; undefined for memory without a name. */
  readonly name?: string;
  readonly pid: number;
  readonly comm: string;
}

/** The mapping of the fault's own task that holds the address; undefined for an address of the kernel, or where nothing is mapped. */
export function userMemory({ kernel, subject: { task } }: Pick<FaultCase, "kernel" | "subject">, address: bigint): UserMemory | undefined {
  if (task === undefined || task.mm === 0n || kernel.arch.isKernelAddress(address)) return undefined;
  const vma = guarded(() => findVma(kernel, task.mm, virtual(address)));
  if (vma === undefined || address < vma.start || address >= vma.end) return undefined;
  const name = vmaName(kernel, task.mm, vma);
  return { vma, pid: task.pid, comm: task.comm, ...(name === undefined ? {} : { name }) };
}

/** The pointer as the process itself passed it in: its registers at the system call hold it. undefined when none does. */
export function givenByProcess({
  state,
  bad,
}: Pick<FaultCase, "state" | "bad">): { readonly check: Check; readonly story: string } | undefined {
  const registers = state.stack?.user?.registers;
  const name = registers?.file.names.find((_, index) => bad !== undefined && registers.get(index) === bad.value);
  if (name === undefined) return undefined;
  return {
    check: { what: `the process gave the pointer to its system call: its ${name} holds it`, result: "held" },
    story: `The process itself passed that pointer to its system call, in ${name}.`,
  };
}
