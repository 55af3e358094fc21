/** The lines of the report that show what the verdict says. */
import type { Evidence } from "../verdict.ts";
import type { LogReport } from "./report.ts";
import type { Place } from "./trace-place.ts";

export function evidenceOf(report: LogReport, place: Place): Evidence[] {
  const evidence: Evidence[] = [];
  const cite = (claim: string, pattern: RegExp | string): void => {
    const line = report.lines.find(
      ({ text }, index) => index > 0 && (typeof pattern === "string" ? text.includes(pattern) : pattern.test(text)),
    );
    if (line !== undefined) evidence.push({ claim, command: `line ${line.number}: ${line.text.trim()}`, values: [] });
  };
  const { first } = report;
  evidence.push({ claim: "the first line of the report", command: `line ${first.number}: ${report.head}`, values: [] });
  if (place.function !== undefined) cite(`${place.function} is in the trace`, `${place.function}+0x`);
  else if (report.family === "oops") cite("the pc", /^\s*(?:RIP:|EIP:|E?IP is at|PC is at|pc :|e?pc\s*:|NIP|TPC:)/);
  cite("what was killed", /[Kk]illed process \d+/);
  cite("the limit", /memory: usage \d+kB, limit \d+kB/);
  cite("the access", /(?:Read|Write) of size|#PF: |ESR = |Free of addr/);
  cite("the error code", /\[#\d+\]/);
  cite("the object", /belongs to the (?:object|cache)|-byte region/);
  cite("who frees it", /^Freed by/);
  return evidence.slice(0, 6);
}
