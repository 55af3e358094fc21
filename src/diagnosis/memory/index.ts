/** Detectors of memory that ran out, or does not come back. The most telling first. */
import type { Detector } from "../detector.ts";
import { memoryLeak } from "./leak.ts";
import { outOfMemory } from "./out-of-memory.ts";

export const MEMORY_DETECTORS: readonly Detector[] = [outOfMemory, memoryLeak];
