/**
 * The report that the subject begins, read out of the dump's log by the parsers of ../log-report: what the kernel printed is a witness here,
 * to be held against memory. Where nothing is left of the CPU's state (the kernel went on after its report) it is all that tells the place.
 */
import { InquestError } from "../../bytes/errors.ts";
import { readLog } from "../../linux/printk.ts";
import type { DiagnosisContext } from "../context.ts";
import { explainReport } from "../log-report/explain.ts";
import { reportsOfRecords } from "../log-report/records.ts";
import type { LogReport } from "../log-report/report.ts";
import { mainTrace } from "../log-report/trace-place.ts";
import type { Diagnosis, Evidence, VerdictFrame } from "../verdict.ts";

export interface SubjectReport {
  readonly report: LogReport;
  /** What the text alone says. */
  readonly told: Diagnosis;
  /** The call trace of the event itself. */
  readonly trace: readonly VerdictFrame[] | undefined;
}

/** Records before a head that belong to it ("cut here", what WARN() printed), and records that one report has at most. */
const BEFORE = 16;
const LENGTH = 600;

/** What the subject is chosen from needs no more to be read. */
type Reported = Pick<DiagnosisContext, "kernel"> & { readonly subject: Pick<DiagnosisContext["subject"], "event" | "after"> };

/** undefined when the log has no such report. Once per subject. */
export function subjectReport({ kernel, subject: { event, after } }: Reported): SubjectReport | undefined {
  if (event === undefined) return undefined;
  const known = reports.get(event);
  if (known !== undefined || reports.has(event)) return known;
  let found: SubjectReport | undefined;
  try {
    const from = Math.max(0, event.index - BEFORE);
    // A crash that was asked for, or a panic, has a stack of its own.
    const next = after.find(({ family }) => family === "deliberate" || family === "panic")?.index ?? Number.POSITIVE_INFINITY;
    const until = event.family === "panic" ? Number.POSITIVE_INFINITY : next;
    const records = readLog(kernel).records.slice(from, Math.min(until, event.index + LENGTH));
    const at = event.index - from;
    const all = reportsOfRecords(records).filter(({ last }) => last.offset >= at);
    const report = all.find(({ first }) => first.offset === at) ?? all.find(({ first }) => first.offset <= at + 3);
    const whole = report === undefined ? undefined : withTrace(report, all);
    found = whole === undefined ? undefined : { report: whole, told: explainReport(whole), trace: mainTrace(whole)?.frames };
  } catch (error) {
    if (!(error instanceof InquestError)) throw error;
  }
  reports.set(event, found);
  return found;
}

/**
 * Since 6.16, and in stable releases, slub_debug ends in WARN(): the stack that it does not print itself any more stands in a report of its
 * own right behind.
 */
function withTrace(report: LogReport, all: readonly LogReport[]): LogReport {
  if (report.family !== "slub" || mainTrace(report) !== undefined) return report;
  const next = all[all.indexOf(report) + 1];
  if (next?.family !== "warning" || !/^(?:object_err|slab_err|__slab_err|check_\w+|slab_\w+)$/.test(next.pc?.function ?? "")) return report;
  const { cpu, pid, comm } = next;
  return {
    ...report,
    ...(cpu === undefined ? {} : { cpu }),
    ...(pid === undefined ? {} : { pid }),
    ...(comm === undefined ? {} : { comm }),
    traces: [...report.traces, ...next.traces],
  };
}

const reports = new WeakMap<object, SubjectReport | undefined>();

/** A number of the report's fields. */
export function addressField({ report }: SubjectReport, name: string): bigint | undefined {
  const value = report.fields[name];
  return typeof value === "bigint" ? value : undefined;
}

export function textField({ report }: SubjectReport, name: string): string | undefined {
  const value = report.fields[name];
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** The frames of the report, the place marked. */
export function reportFrames({ told }: SubjectReport): readonly VerdictFrame[] {
  return told.frames;
}

/** "the log says: …", by which the line is found again. */
export function reportEvidence({ subject }: DiagnosisContext): Evidence[] {
  const text = subject.event?.text;
  if (text === undefined) return [];
  const head = (/^[^']{1,48}/.exec(text)?.[0] ?? "").trimEnd();
  return [{ claim: `the log says: ${text}`, command: `log | grep -F '${head}'`, values: [] }];
}
