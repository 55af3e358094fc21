/**
 * The logs that `inquest explain` reads: files of any size in pieces, "-" the standard input, records of pstore put back into the order of
 * time, several of one dump as one log.
 */
import { closeSync, openSync, readFileSync, readSync } from "node:fs";
import { UsageError } from "../../bytes/errors.ts";
import { ReportFinder } from "../../diagnosis/log-report/find-reports.ts";
import { byDump, HEADER_BYTES, storedLogs, storedPart } from "../../diagnosis/log-report/pstore.ts";
import type { LogReport } from "../../diagnosis/log-report/report.ts";
import { FileError } from "./sink.ts";

const PIECE = 1 << 22;

/** One log: what it is called, and its reports. */
export interface LogToExplain {
  readonly name: string;
  reports(): Iterable<LogReport>;
}

/** The logs in the files that were named, in their order. Throws UsageError for a file that cannot be read. */
export function logsIn(files: readonly string[]): readonly LogToExplain[] {
  const logs: LogToExplain[] = [];
  const stored: { dump: string; part: number; value: string }[] = [];
  for (const file of files) {
    const part = file === "-" ? undefined : storedPart(beginningOf(file));
    if (part === undefined) logs.push({ name: file, reports: () => reportsOf(file) });
    else stored.push({ ...part, value: file });
  }
  for (const [dump, parts] of byDump(stored)) {
    // A record is some KB; a file of several records may have them in any order.
    const text = parts.map((file) => readFileSync(file, "latin1")).join("");
    for (const log of storedLogs(text) ?? []) {
      const name = parts.length === 1 ? (parts[0] ?? dump) : `${parts[0]} and ${parts.length - 1} more (${dump})`;
      logs.push({ name, reports: () => reportsOfText(log) });
    }
  }
  return logs;
}

function* reportsOfText(text: string): Generator<LogReport> {
  const finder = new ReportFinder();
  yield* finder.push(Buffer.from(text, "latin1"));
  yield* finder.finish();
}

function beginningOf(file: string): string {
  const descriptor = opened(file);
  try {
    const head = new Uint8Array(HEADER_BYTES);
    return Buffer.from(head.subarray(0, readPiece(descriptor, head, file))).toString("latin1");
  } finally {
    closeSync(descriptor);
  }
}

function* reportsOf(file: string): Generator<LogReport> {
  const descriptor = file === "-" ? 0 : opened(file);
  try {
    const finder = new ReportFinder();
    for (;;) {
      const piece = new Uint8Array(PIECE);
      const length = readPiece(descriptor, piece, file);
      if (length === 0) break;
      yield* finder.push(piece.subarray(0, length));
    }
    yield* finder.finish();
  } finally {
    if (descriptor !== 0) closeSync(descriptor);
  }
}

function opened(file: string): number {
  try {
    return openSync(file, "r");
  } catch (error) {
    throw new UsageError(`explain: ${new FileError(file, error).message}`);
  }
}

function readPiece(descriptor: number, piece: Uint8Array, file: string): number {
  for (;;) {
    try {
      return readSync(descriptor, piece);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      if (code === "EOF") return 0;
      if (code !== "EAGAIN" && code !== "EINTR") throw new UsageError(`explain: ${file} cannot be read: ${code ?? String(error)}`);
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
}
