/** Detectors of memory that ran out or leaks. The most telling first. */
import type { Detector } from "../detector.ts";

export const MEMORY_DETECTORS: readonly Detector[] = [];
