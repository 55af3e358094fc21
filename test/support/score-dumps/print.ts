/** Scores as text: a table per class, the targets, what was missed. */
import type { Row } from "./run.ts";
import { holds, type Share, type Tally } from "./tally.ts";

function percent({ right, total }: Share): string {
  return total === 0 ? "-" : `${((100 * right) / total).toFixed(1)} %`;
}

function cell(share: Share): string {
  return (share.total === 0 ? "" : `${share.right}/${share.total}`).padStart(9);
}

export function* scoreText(found: Tally): Generator<string> {
  yield `${"".padEnd(26)}    class     best function   module   member   object  parties`;
  for (const [name, { class: right, best, function: place, module, member, object, participants }] of [
    ...found.perClass,
    ["all", found.all] as const,
  ])
    yield `${name.padEnd(26)}${[right, best, place, module, member, object, participants].map(cell).join("")}`;
  yield "";
  for (const { name, share, wanted } of found.targets) {
    const line = `${name.padEnd(28)}${cell(share)}  ${percent(share).padStart(8)}`;
    if (wanted === undefined) {
      yield line;
      continue;
    }
    const met = share.total === 0 ? "nothing to judge" : (100 * share.right) / share.total >= wanted ? "met" : "MISSED";
    yield `${line}  wanted ${wanted} %: ${met}`;
  }
  yield "";
  yield `confidence against right:  ${found.calibration.map(([name, share]) => `${name} ${share.right}/${share.total}`).join(", ")}`;
  for (const [name, { median, max, slowest }, wanted] of [
    ["faults", found.faults, 1] as const,
    ["hangs and the rest", found.hangs, 3] as const,
  ])
    yield `time to verdict, ${name}: median ${median.toFixed(0)} ms, longest ${max.toFixed(0)} ms (${slowest}), wanted ${wanted} s: ${max <= wanted * 1000 ? "met" : "MISSED"}`;
  yield `said with high confidence beside the verdict, of other classes: ${found.besides.length}`;
  if (found.failures.length > 0) yield `diagnosis failed: ${found.failures.length}`;
  if (found.accusations.length > 0) yield "";
  for (const row of found.accusations) yield `FALSE ACCUSATION  ${nameOf(row)}: ${row.judgement.accuses}`;
}

export function nameOf({ case: id, variant, kind, what }: Row): string {
  return `${id}${variant === "plain" ? "" : ` (${variant})`}${kind === undefined ? "" : ` ${kind}: ${what}`}`;
}

/** All that was missed, by what was to be found. */
export function* missesText(rows: readonly Row[]): Generator<string> {
  const groups = [...new Set(rows.map(groupOf))].sort();
  for (const group of groups) {
    const lines = rows.filter((row) => groupOf(row) === group).flatMap((row) => [...missText(row)]);
    if (lines.length > 0) yield* [`## ${group}`, ...lines, ""];
  }
}

function groupOf({ kind, label }: Row): string {
  return kind ?? label.class[0] ?? "";
}

/** What was missed of a row, one line each; nothing when all is right. */
function* missText(row: Row): Generator<string> {
  const { judgement, label, found, evidence, error } = row;
  const missed = (["class", "function", "module", "member", "object", "participants"] as const).filter((key) => judgement[key] === false);
  if (missed.length === 0 && evidence.wrong.length === 0 && judgement.accuses === undefined && error === undefined) return;
  const verdict = found?.verdict;
  const wanted = [
    label.class.join("|"),
    label.function?.join("|"),
    label.module,
    label.member?.join("|"),
    label.object === undefined ? undefined : [...(label.object.type ?? []), ...(label.object.cache ?? [])].join("|"),
    label.participants?.join("+") ?? label.pids?.join("+"),
  ];
  yield `${nameOf(row)}`;
  yield `   missed ${[...missed, ...(evidence.wrong.length > 0 ? ["evidence"] : [])].join(", ")}${holds(judgement) ? "" : `; said with ${verdict?.confidence ?? "no"} confidence`}`;
  yield `   want   ${wanted.filter((each) => each !== undefined && each !== "").join(" · ")}`;
  if (verdict !== undefined) {
    const object =
      verdict.object === undefined
        ? ""
        : ` · ${verdict.object.type ?? "?"}.${verdict.object.member ?? "?"} (${verdict.object.cache ?? "-"})`;
    const parties = (verdict.participants ?? []).map(({ comm, pid, central }) => `${comm}:${pid}${central === true ? "*" : ""}`).join("+");
    yield `   said   ${verdict.class} · ${verdict.function ?? "-"} · ${verdict.module ?? "-"}${object}${parties === "" ? "" : ` · ${parties}`}`;
    yield `          ${verdict.title}`;
    const others = found?.alternatives.filter(({ class: other }) => label.class.includes(other)) ?? [];
    for (const each of others.slice(0, 2))
      yield `   also   ${each.class} (${each.confidence}) ${each.title}${each.refutedBy === undefined ? "" : `; refuted: ${each.refutedBy}`}`;
  }
  for (const line of evidence.wrong.slice(0, 4)) yield `   evidence: ${line}`;
  if (error !== undefined) yield `   ${error}`;
}
