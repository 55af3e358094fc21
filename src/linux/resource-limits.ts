/** Resource limits of a process (include/uapi/asm-generic/resource.h): signal->rlim[], in the order of their numbers. */
import type { VirtualAddress } from "../bytes/address.ts";
import type { Kernel } from "../kernel/kernel.ts";

/** x86-64 and arm64 use the generic numbering. */
const NAMES = [
  "CPU",
  "FSIZE",
  "DATA",
  "STACK",
  "CORE",
  "RSS",
  "NPROC",
  "NOFILE",
  "MEMLOCK",
  "AS",
  "LOCKS",
  "SIGPENDING",
  "MSGQUEUE",
  "NICE",
  "RTPRIO",
  "RTTIME",
] as const;

const UNLIMITED = (1n << 64n) - 1n;

export interface ResourceLimit {
  readonly name: string;
  /** undefined means unlimited. */
  readonly current: number | undefined;
  readonly maximum: number | undefined;
}

/** Limits of a thread group, by its signal_struct. @throws FaultError */
export function resourceLimits(kernel: Kernel, signal: VirtualAddress): readonly ResourceLimit[] {
  const field = kernel.types.struct("signal_struct").field("rlim");
  const bytes = kernel.memory.bytes(field.address(signal), NAMES.length * 16);
  const view = new DataView(bytes.buffer);
  const value = (at: number) => {
    const word = view.getBigUint64(at, true);
    return word === UNLIMITED ? undefined : Number(word);
  };
  return NAMES.map((name, i) => ({ name, current: value(i * 16), maximum: value(i * 16 + 8) }));
}
