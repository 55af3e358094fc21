/**
 * The reports in the log of a dump: its records, which know their time and caller, go the same way as lines of a text.
 *
 * One record may hold several lines; a line's number is that of its record, from 1, and its offset the record's index.
 */
import type { LogRecord } from "../../linux/log-record.ts";
import { takePrefix } from "./line-prefix.ts";
import type { LogLine, LogReport } from "./report.ts";
import { ReportAssembler } from "./report-assembler.ts";

/** More lines in one record are no report's. */
const LINES_OF_RECORD = 256;

/** Every report of the log in the order of their heads; `first.offset` and `last.offset` are indices into `records`. */
export function reportsOfRecords(records: readonly LogRecord[]): LogReport[] {
  const assembler = new ReportAssembler();
  for (let index = 0; index < records.length; index++) {
    // What a process wrote to /dev/kmsg bears a facility of its own: it may quote a report, and is none.
    if (records[index]?.facility !== 0) continue;
    for (const line of linesOf(records, index)) assembler.line(line, (context, most) => leadOf(records, index, context, most));
  }
  return assembler.finish();
}

function linesOf(records: readonly LogRecord[], index: number): (LogLine & { readonly stamped: boolean })[] {
  const record = records[index];
  if (record === undefined) return [];
  const known = {
    number: index + 1,
    offset: index,
    level: record.level,
    stamped: true,
    ...(record.nanoseconds === undefined ? {} : { time: Number(record.nanoseconds) / 1e9 }),
    ...(record.caller === undefined ? {} : { caller: record.caller }),
  };
  // A record without a stamp is a line of a text: it may carry prefixes of its own.
  return record.text
    .split("\n", LINES_OF_RECORD)
    .flatMap((text) =>
      (record.nanoseconds === undefined ? takePrefix(text) : [{ text: text.trimEnd() }]).map((piece) => ({ ...known, ...piece })),
    );
}

function leadOf(records: readonly LogRecord[], before: number, context: string, most: number): LogLine[] {
  const lead: LogLine[] = [];
  for (let index = before - 1; index >= 0 && index > before - 4 * most && lead.length < most; index--)
    lead.unshift(...linesOf(records, index).filter(({ caller }) => (caller ?? "") === context));
  return lead.slice(-most);
}
