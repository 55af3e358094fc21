/** Every detector. Of two findings that are equally sure and lie equally far behind what was seen, the earlier one is the verdict. */
import { CHECK_DETECTORS } from "./checks/index.ts";
import type { Detector } from "./detector.ts";
import { ENDING_DETECTORS } from "./ending/index.ts";
import { FAULT_DETECTORS } from "./fault/index.ts";
import { HANG_DETECTORS } from "./hang/index.ts";
import { INTEGRITY_DETECTORS } from "./integrity/index.ts";
import { MEMORY_DETECTORS } from "./memory/index.ts";

export const DETECTORS: readonly Detector[] = [
  ...FAULT_DETECTORS,
  ...CHECK_DETECTORS,
  ...HANG_DETECTORS,
  ...MEMORY_DETECTORS,
  ...INTEGRITY_DETECTORS,
  ...ENDING_DETECTORS,
];
