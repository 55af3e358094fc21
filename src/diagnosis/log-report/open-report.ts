/** A report while its lines come: what the assembler collects and the parser reads. */
import type { LogLine, ReportFamily } from "./report.ts";

/** Damage of a report that begins with a line from its middle. */
export const HEADLESS = "its head is missing";

/** A report that is still being read. */
export interface OpenReport {
  readonly family: ReportFamily;
  readonly head: string;
  readonly lead: readonly LogLine[];
  readonly lines: LogLine[];
  readonly damage: Set<string>;
  readonly context: string;
  readonly stamped: boolean;
  frames: number;
  idle: number;
  ended: boolean;
  panicked: boolean;
  allCpus: boolean;
}
