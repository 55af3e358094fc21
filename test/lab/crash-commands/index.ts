/** The tables of crash-commands.test.ts, one a subject; a new one is one import and one entry. */
import type { CompatLine } from "../crash-compat-difference.ts";
import { ADDRESSES } from "./addresses.ts";
import { DEVICES } from "./devices.ts";
import { MACHINE } from "./machine.ts";
import { MEMORY } from "./memory.ts";
import { NET } from "./net.ts";
import { PROCESSES } from "./processes.ts";
import { SLAB } from "./slab.ts";
import { TIME } from "./time.ts";

export const COMMAND_TABLES: Readonly<Record<string, readonly CompatLine[]>> = {
  addresses: ADDRESSES,
  devices: DEVICES,
  machine: MACHINE,
  time: TIME,
  memory: MEMORY,
  processes: PROCESSES,
  slab: SLAB,
  net: NET,
};
