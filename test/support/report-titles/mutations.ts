/**
 * The same logs spoilt in the ways that logs are spoilt, and how often the verdict stays, is flagged as damaged, or changes unseen:
 * `npm run score:reports -- DIR --mutations`. Prefixes and cuts are exhaustive, losses are drawn from a seed.
 */
import { explainReport } from "../../../src/diagnosis/log-report/explain.ts";
import { reportsIn } from "../../../src/diagnosis/log-report/find-reports.ts";
import { type PrefixedText, takePrefix } from "../../../src/diagnosis/log-report/line-prefix.ts";
import type { LogReport } from "../../../src/diagnosis/log-report/report.ts";

interface Outcome {
  readonly key: string;
  readonly damaged: boolean;
}

interface Tally {
  same: number;
  flagged: number;
  none: number;
  changed: number;
}

const stamp = ({ time, caller }: PrefixedText): string =>
  time === undefined ? "" : `[${time.toFixed(6).padStart(12)}]${caller === undefined ? " " : `[${caller.padStart(6)}] `}`;

/** How a line of the kernel looks when it comes another way. */
const FORMS: Readonly<Record<string, (piece: PrefixedText, index: number) => string>> = {
  "level numbers": (piece) => `<4>${stamp(piece)}${piece.text}`,
  syslog: (piece) => `Nov 19 10:00:01 host kernel: ${stamp(piece)}${piece.text}`,
  "ISO syslog": (piece) => `2024-11-19T10:00:01.123456+00:00 host kernel: ${stamp(piece)}${piece.text}`,
  netconsole: (piece, index) =>
    piece.time === undefined
      ? piece.text
      : `4,${index},${Math.round(piece.time * 1e6)},-${piece.caller === undefined ? "" : `,caller=${piece.caller}`};${piece.text}`,
  "dmesg -T": (piece) => `[Tue Nov 19 10:00:01 2024] ${piece.caller === undefined ? "" : `[${piece.caller.padStart(6)}] `}${piece.text}`,
  "dmesg -x": (piece) => `kern  :warn  : ${stamp(piece)}${piece.text}`,
  "quoted mail": (piece) => `> > ${stamp(piece)}${piece.text}`,
  "CR LF": (piece) => `${stamp(piece)}${piece.text}\r`,
  colours: (piece) => `\x1b[32m${stamp(piece)}\x1b[0m\x1b[33m${piece.text}\x1b[0m`,
  "JSON of docker": (piece) => JSON.stringify({ log: `${stamp(piece)}${piece.text}\n`, stream: "stdout", time: "2024-11-19T10:00:01Z" }),
  compose: (piece) => `guest_1  | ${stamp(piece)}${piece.text}`,
  "foreign date": (piece) => `lis 19 10:00:01 host kernel: ${piece.caller === undefined ? "" : `[${piece.caller}] `}${piece.text}`,
  "container log": (piece) => `2024-11-19T10:00:01.123456789Z ${stamp(piece)}${piece.text}`,
  "bare time": (piece, index) => `2024-11-19T10:00:${String(index % 60).padStart(2, "0")}Z ${piece.text}`,
  "bare day and clock": (piece, index) => `2024-11-19 10:00:${String(index % 60).padStart(2, "0")}.123 ${piece.text}`,
  "bare clock": (piece, index) => `10:00:${String(index % 60).padStart(2, "0")}.123 ${piece.text}`,
  "day in brackets": (piece, index) => `[2024-11-19 10:00:${String(index % 60).padStart(2, "0")}.123] ${piece.text}`,
  "a time of its own for each line": (piece, index) =>
    `2024-11-19T10:00:${String(index % 60).padStart(2, "0")}Z ${stamp(piece)}${piece.text}`,
  "console server": (piece) => `[10:00:01] ${stamp(piece)}${piece.text}`,
  "web page": (piece) => stamp(piece) + piece.text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;"),
  "80 columns": (piece) => `${stamp(piece)}${piece.text}`.replace(/^(.{80})(.+)$/s, "$1\n$2"),
};

function verdictOf(log: string, wanted: (report: LogReport) => boolean): Outcome | undefined {
  const report = reportsIn(log).find(wanted);
  if (report === undefined) return undefined;
  const { verdict } = explainReport(report);
  return { key: `${report.family} ${verdict.function ?? ""} ${verdict.class}`, damaged: report.damage.length > 0 };
}

function count(tally: Tally, base: Outcome | undefined, now: Outcome | undefined): void {
  if (base?.key === now?.key) tally.same++;
  else if (now === undefined) tally.none++;
  else if (now.damaged) tally.flagged++;
  else tally.changed++;
}

/** One line for each kind of damage. @param wanted which report of a log is looked at */
export function mutationRates(logs: readonly string[], wanted: (report: LogReport) => boolean): string[] {
  const rows: string[] = [];
  const bases = logs.map((log) => verdictOf(log, wanted));
  const row = (name: string, spoil: (log: string) => Iterable<string>): void => {
    const tally: Tally = { same: 0, flagged: 0, none: 0, changed: 0 };
    for (const [index, log] of logs.entries()) for (const spoilt of spoil(log)) count(tally, bases[index], verdictOf(spoilt, wanted));
    const all = tally.same + tally.flagged + tally.none + tally.changed;
    rows.push(
      `${name.padEnd(16)} ${all} logs: ${tally.same} the same, ${tally.flagged} flagged, ${tally.none} without report, ${tally.changed} changed unseen (${((100 * tally.changed) / Math.max(1, all)).toFixed(1)} %)`,
    );
  };
  for (const [name, form] of Object.entries(FORMS))
    row(name, (log) => [
      log
        .split("\n")
        .flatMap((line) => takePrefix(line.replace(/\r$/, "")))
        .map(form)
        .join("\n"),
    ]);
  row("cut", function* (log) {
    const lines = log.split("\n");
    const step = Math.max(1, Math.floor(lines.length / 40));
    for (let at = 1; at < lines.length; at += step) yield lines.slice(0, at).join("\n");
  });
  let state = 1;
  const random = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  row("3 % lost", function* (log) {
    for (let times = 0; times < 4; times++)
      yield log
        .split("\n")
        .filter(() => random() > 0.03)
        .join("\n");
  });
  row("begins inside", function* (log) {
    const lines = log.split("\n");
    for (let times = 0; times < 4; times++) yield lines.slice(1 + Math.floor(random() * lines.length)).join("\n");
  });
  row("hole", function* (log) {
    const lines = log.split("\n");
    for (let times = 0; times < 4; times++) {
      const from = Math.floor(random() * lines.length);
      yield [...lines.slice(0, from), ...lines.slice(from + 5 + Math.floor(random() * 35))].join("\n");
    }
  });
  // Two consoles in one file: a piece of another log's middle, and of every line its own times.
  row("another's piece", function* (log) {
    const lines = log.split("\n");
    for (let times = 0; times < 4; times++) {
      const others = (logs[Math.floor(random() * logs.length)] ?? "").split("\n");
      const from = Math.floor((others.length * (1 + random())) / 3);
      const at = Math.floor(random() * lines.length);
      yield [...lines.slice(0, at), ...others.slice(from, from + 6), ...lines.slice(at)].join("\n");
    }
  });
  return rows;
}
