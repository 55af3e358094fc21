/** A report while its lines come: what the assembler collects and the parser reads. */
import type { LogLine, ReportFamily } from "./report.ts";

/** Damage of a report that begins with a line from its middle. */
export const HEADLESS = "its head is missing";

/** A report that is still being read. */
export interface OpenReport {
  /** Changes when the head was only a preface: "BUG: unsupported FP instruction in kernel mode", then the oops. */
  family: ReportFamily;
  /** Its head is a subsystem's own words, of no family. */
  readonly preface: boolean;
  readonly head: string;
  readonly lead: readonly LogLine[];
  readonly lines: LogLine[];
  readonly damage: Set<string>;
  readonly context: string;
  readonly stamped: boolean;
  frames: number;
  idle: number;
  /** Its head came twice: each line stands in the log once for each of two consoles. */
  doubled: boolean;
  ended: boolean;
  panicked: boolean;
  allCpus: boolean;
}
