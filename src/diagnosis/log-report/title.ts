/** The one line that says what happened: `use after free: widget_poll [widget] reads 8 bytes at 0x…`. */
import { CLASS_WORDS } from "../class-words.ts";
import type { Access, VerdictClass } from "../verdict.ts";
import type { LogReport } from "./report.ts";
import type { TouchedMember } from "./symbolise.ts";
import type { Place } from "./trace-place.ts";

export function hex(value: bigint): string {
  return `0x${value.toString(16)}`;
}

/** Read or write, and how much, as far as the report tells. */
export function accessOf(report: LogReport): Access | undefined {
  const kind = report.fields.access;
  if (kind !== "read" && kind !== "write" && kind !== "execute" && kind !== "free") return undefined;
  return typeof report.fields.size === "number" ? { kind, size: report.fields.size } : { kind };
}

export function titleOf(report: LogReport, verdict: VerdictClass, place: Place, touched?: TouchedMember): string {
  const { fields, faultAddress, comm, pid } = report;
  const name = place.function === undefined ? undefined : `${place.function}${place.module === undefined ? "" : ` [${place.module}]`}`;
  const words = CLASS_WORDS[verdict];
  const access = accessOf(report);
  const who = comm === undefined ? "a task" : `${comm} (${pid ?? "?"})`;
  if (report.family === "hung-task")
    return `${who} waits${name === undefined ? "" : ` in ${name}`} for more than ${String(fields.seconds ?? "?")} s`;
  if (report.family === "rcu-stall" && name === undefined)
    return `${words}: ${
      typeof fields.starved === "number"
        ? `the grace-period thread did not run for ${fields.starved} jiffies`
        : "nothing that ran too long is shown"
    }`;
  if (report.family === "soft-lockup" || report.family === "hard-lockup" || report.family === "rcu-stall")
    return `${words}: ${name ?? "the kernel"} runs too long${fields.cpu === undefined ? "" : ` on CPU ${String(fields.cpu)}`}`;
  if (report.family === "kcsan")
    return `data race between ${String(fields.first ?? "?")} and ${String(fields.second ?? "an unknown writer")}`;
  if (report.family === "oom") return `${words}: ${String(fields.victim ?? "no process")} was killed, asked for by ${who}`;
  if (report.family === "warning" || verdict === "bug-assertion") {
    const what = typeof fields.text === "string" ? `: ${fields.text}` : typeof fields.condition === "string" ? `: ${fields.condition}` : "";
    return `${words} in ${name ?? "an unknown function"}${typeof fields.file === "string" ? ` (${fields.file}:${String(fields.line)})` : ""}${what}`;
  }
  if (report.family === "panic") {
    const gaveUp = verdict === "unknown" ? "panic" : words;
    // The rest of its text says the same again.
    if (fields.kind === "stack-protector" && name !== undefined) return `${gaveUp} in ${name}`;
    return `${gaveUp}${name === undefined ? "" : ` in ${name}`}: ${String(fields.text ?? "")}`;
  }
  if (report.family === "machine-check" && name === undefined) {
    if (typeof fields.device === "string") return `${words}: fatal error of the PCIe device ${fields.device}`;
    return typeof fields.bank === "number" ? `${words}: machine check on CPU ${String(fields.cpu)}, bank ${fields.bank}` : words;
  }
  if (verdict === "hardware-error") return `${words}${name === undefined ? "" : ` while ${name} ran`}`;
  if (access?.kind === "execute" && name !== undefined)
    return `${words} in ${name}${faultAddress === undefined || faultAddress < 4096n ? "" : `: ${hex(faultAddress)}`}`;
  if (access !== undefined && access.kind !== "free" && name !== undefined) {
    const size = access.size === undefined ? "" : ` ${access.size} byte${access.size === 1 ? "" : "s"}`;
    const at = faultAddress === undefined ? "" : ` at ${hex(faultAddress)}`;
    const what = touched === undefined ? size : ` ${touched.text ?? `(${touched.container} *)->${touched.member}`}`;
    return `${words}: ${name} ${access.kind}s${what}${at}`;
  }
  const at =
    (verdict === "wild-pointer" || verdict === "err-pointer-dereference") && faultAddress !== undefined && name !== undefined
      ? `: ${hex(faultAddress)}`
      : "";
  return `${words}${name === undefined ? "" : ` in ${name}`}${at}${typeof fields.detail === "string" ? `: ${fields.detail}` : ""}`;
}
