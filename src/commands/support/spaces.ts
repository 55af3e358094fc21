/** The memories that an address operand may belong to: the kernel's, the context process's (-u), physical (-p). */
import type { PhysicalAddress, VirtualAddress } from "../../bytes/address.ts";
import { FaultError, InquestError, UnsupportedError } from "../../bytes/errors.ts";
import { AddressSpace } from "../../kernel/address-space.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { userSpace } from "../../linux/mm.ts";
import { taskAt } from "../../linux/task.ts";
import type { Session } from "../command.ts";

/** User memory of the context task; throws when it has none. */
export function contextUserSpace(session: Session): AddressSpace {
  const { kernel } = session;
  const task = taskAt(kernel, session.context);
  if (task.mm === 0n)
    throw new UnsupportedError(
      `the context task ${task.pid} (${task.comm}) is a kernel thread and has no user memory; choose one with: set PID`,
    );
  return userSpace(kernel, task.mm);
}

/** Physical memory read like virtual memory. */
export function physicalSpace(kernel: Kernel): AddressSpace {
  return new AddressSpace(kernel.physical, { translate: (address: VirtualAddress) => address as bigint as PhysicalAddress });
}

/** The error for options that read the dump file itself or Xen's machine memory. */
export function noSuchSpace(flag: "-f" | "-m"): UnsupportedError {
  return new UnsupportedError(
    flag === "-f"
      ? "-f (an offset in the dump file) is not possible: dumps are compressed or in pieces, and no offset stands for memory; use -p with a physical address"
      : "-m (Xen machine addresses) is for Xen hosts, which are not supported",
  );
}

/** Levels of makedumpfile: bit, what it leaves out. */
const LEVELS: readonly (readonly [number, string])[] = [
  [1, "zero"],
  [2, "cache"],
  [4, "private cache"],
  [8, "user"],
  [16, "free"],
];

/** The fault with what the dump knows of its reason: which kinds of pages makedumpfile was told to leave out. */
export function explainFault(kernel: Kernel, error: unknown): unknown {
  const level = kernel.dump.dumpLevel;
  if (!(error instanceof FaultError) || error.reason !== "excluded" || level === undefined || error.detail !== undefined) return error;
  const kinds = LEVELS.filter(([bit]) => (level & bit) !== 0).map(([, name]) => name);
  if (kinds.length === 0) return error;
  const list = kinds.length === 1 ? kinds[0] : `${kinds.slice(0, -1).join(", ")} and ${kinds.at(-1)}`;
  return new FaultError(error.address, error.space, error.reason, `dump level ${level} drops ${list} pages`);
}

/** Runs a reader and explains its fault. */
export function explained<T>(kernel: Kernel, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof InquestError) throw explainFault(kernel, error);
    throw error;
  }
}
