/** Detectors of how the kernel ended when nothing of itself was wrong, or nothing more is known: asked for, machine checks, panics of file systems and devices. The most telling first. */
import type { Detector } from "../detector.ts";
import { deliberate } from "./deliberate.ts";
import { hardwareError } from "./hardware.ts";
import { panicCall } from "./panic-call.ts";

export const ENDING_DETECTORS: readonly Detector[] = [hardwareError, deliberate, panicCall];
