/** Who allocated or freed something, as slub_debug, KASAN and page_owner remember it. */
import type { VirtualAddress } from "../bytes/address.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { depotStack, type StackAddresses } from "./stack-depot.ts";
import { tickRate } from "./tick-rate.ts";

/** Who allocated or freed an object: task, time, stack. */
export interface AllocationTrack {
  readonly source: "slub_debug" | "KASAN" | "page_owner";
  /** Return addresses, innermost first; empty with `lack`. */
  readonly stack: StackAddresses;
  /** Why there is no stack trace. */
  readonly lack?: string;
  /** Return address in the function that asked, where it was noted apart (slub_debug). */
  readonly caller?: VirtualAddress;
  readonly pid?: number;
  readonly comm?: string;
  readonly cpu?: number;
  /** Seconds after boot, as the log counts them. */
  readonly time?: number;
}

/** The stack trace behind a handle as fields of a track. */
export function trackStack(kernel: Kernel, handle: number): Pick<AllocationTrack, "stack" | "lack"> {
  const stack = depotStack(kernel, handle);
  return typeof stack === "string" ? { stack: [], lack: stack } : { stack };
}

/** Seconds after boot of a value of jiffies: they begin 300 s before their low 32 bits overflow (INITIAL_JIFFIES). */
export function jiffiesTime(kernel: Kernel, jiffies: bigint): number | undefined {
  const rate = tickRate(kernel);
  if (rate === undefined) return undefined;
  const since = jiffies - BigInt(2 ** 32 - 300 * rate);
  return since < 0n ? undefined : Number(since) / rate;
}
