/** Detectors of what does not go on: circles of locks, holders that sleep, loops, stalls of RCU, workqueues and disks. The most telling first. */
import type { Detector } from "../detector.ts";
import { hungTask, lockHeldBySleeper } from "./blocked.ts";
import { deadlock, selfDeadlock } from "./circles.ts";
import { hardLockup, softLockup } from "./lockup-detectors.ts";
import { rcuStall } from "./rcu-stall.ts";
import { stuckIo } from "./stuck-io.ts";
import { workqueueStall } from "./workqueue-stall.ts";

export const HANG_DETECTORS: readonly Detector[] = [
  selfDeadlock,
  deadlock,
  stuckIo,
  workqueueStall,
  hardLockup,
  softLockup,
  rcuStall,
  lockHeldBySleeper,
  hungTask,
];
