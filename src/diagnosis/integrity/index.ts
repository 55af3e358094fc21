/** Detectors of damage that is in the dump's structures whether or not anything met it. The most telling first. */
import type { Detector } from "../detector.ts";
import { guards } from "./guards-detector.ts";
import { structures } from "./structures-detector.ts";
import { kernelText } from "./text-detector.ts";
import { trust } from "./trust.ts";

export const INTEGRITY_DETECTORS: readonly Detector[] = [trust, kernelText, guards, structures];
