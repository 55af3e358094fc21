/** mach and sys: what the machine is. */
import { type CompatLine, same } from "../crash-compat-difference.ts";

export const MACHINE: readonly CompatLine[] = [...same("sys -i")];
