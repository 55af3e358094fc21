/** The memories that an address operand may belong to: the kernel's, the context process's (-u), physical (-p), the dump file (-f). */
import type { PhysicalAddress, VirtualAddress } from "../../bytes/address.ts";
import { FaultError, InquestError, UnsupportedError } from "../../bytes/errors.ts";
import type { Dump } from "../../dump/dump.ts";
import { PhysicalMemory } from "../../dump/physical-memory.ts";
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
  return identitySpace(kernel.physical);
}

function identitySpace(memory: PhysicalMemory): AddressSpace {
  return new AddressSpace(memory, { translate: (address: VirtualAddress) => address as bigint as PhysicalAddress }, "physical");
}

const FILE_PAGE = 4096;

/** The dump file's bytes read like memory: an address is an offset. Throws UnsupportedError for compressed containers. */
export function fileSpace({ dump }: Kernel): AddressSpace {
  const { file } = dump;
  if (file === undefined) {
    throw new UnsupportedError(
      `-f (an offset in the dump file) is for ELF dumps: in ${dump.format} no offset stands for plain bytes; use -p with a physical address`,
    );
  }
  const pages: Dump = {
    ...dump,
    pageSize: FILE_PAGE,
    readPage(page, target) {
      const count = page * FILE_PAGE < file.size ? file.readInto(target, page * FILE_PAGE) : 0;
      target.fill(0, count);
      return count > 0 ? undefined : { reason: "truncated" };
    },
    close: () => {},
  };
  return identitySpace(new PhysicalMemory(pages, { cacheBytes: 64 * FILE_PAGE }));
}

/** The error for Xen's machine addresses. */
export function noXen(): UnsupportedError {
  return new UnsupportedError("-m (Xen machine addresses) is for Xen hosts, which are not supported");
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
