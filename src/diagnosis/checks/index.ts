/** Detectors of what the kernel's own checks found before anything faulted: BUG and WARN, lists, references, slabs, canaries, sanitizers. The most telling first. */
import type { Detector } from "../detector.ts";
import { assertion } from "./assertion.ts";
import { atomicSleep } from "./atomic-sleep.ts";
import { canary } from "./canary.ts";
import { copyCheck } from "./copy-check.ts";
import { divide } from "./divide.ts";
import { free } from "./free.ts";
import { refcount } from "./refcount.ts";
import { slabReport } from "./slab-report.ts";
import { textReport } from "./text-report.ts";

export const CHECK_DETECTORS: readonly Detector[] = [
  slabReport,
  textReport,
  refcount,
  free,
  copyCheck,
  canary,
  atomicSleep,
  divide,
  assertion,
];
