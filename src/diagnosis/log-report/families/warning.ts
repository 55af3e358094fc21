/**
 * WARN(): `WARNING: CPU: 1 PID: 2 at file:line func+0x…` (until 6.18), `WARNING: [condition] file:line at func+0x…, CPU#1: comm/pid` (from
 * 6.19, commit 28ea295f941e), `WARNING: at file:line func()` (3.x). The text of WARN() stands before the line (since 4.15) or after it.
 */
import type { LogLine } from "../report.ts";
import { type FieldParser, type Fields, find } from "./fields.ts";

const NEW = /WARNING: (?:\[(.{1,200})\] )?(\S+):(\d+) at (\S+?)(?:\+0x\S+)?(?: \[\S+\])?, CPU#(\d+): (.+)\/(\d+)/;
const USUAL = /WARNING: CPU: (\d+) PID: (\d+) at (\S+?):(\d+)/;
const OLDEST = /WARNING: at (\S+):(\d+) (\w+)/;

export const warningFields: FieldParser = (lines, lead) => {
  const fields: Fields = {};
  const fresh = find(lines, NEW);
  const usual = fresh === undefined ? find(lines, USUAL) : undefined;
  const oldest = fresh === undefined && usual === undefined ? find(lines, OLDEST) : undefined;
  if (fresh !== undefined) {
    if (fresh[1] !== undefined) fields.condition = fresh[1];
    Object.assign(fields, {
      file: fresh[2] ?? "",
      line: Number(fresh[3]),
      place: fresh[4] ?? "",
      cpu: Number(fresh[5]),
      comm: fresh[6] ?? "",
      pid: Number(fresh[7]),
    });
  } else if (usual !== undefined) {
    Object.assign(fields, { cpu: Number(usual[1]), pid: Number(usual[2]), file: usual[3] ?? "", line: Number(usual[4]) });
  } else if (oldest !== undefined) {
    Object.assign(fields, { file: oldest[1] ?? "", line: Number(oldest[2]), place: oldest[3] ?? "" });
  }
  // include/linux/fortify-string.h: WARN_ONCE() says it above its line; "cut here" may be lost.
  const spanning = find(lead.slice(-1), /\w+: detected field-spanning write \(size .*/);
  const text = warnText(lines, lead) ?? spanning?.[0];
  if (text !== undefined) fields.text = text;
  const counter = find([...lead, ...lines.slice(0, 12)], /refcount_t: ([^\n.]*)/);
  if (counter !== undefined) fields.refcount = (counter[1] ?? "").trim();
  const list = find([...lead, ...lines.slice(0, 12)], /(list_(?:add|del)) (?:corruption[.,]? ?.*|double add.*)/);
  if (list !== undefined) fields.list = list[0];
  const debugged = find([...lead, ...lines.slice(0, 12)], /ODEBUG: (\w+) (\w+)/);
  if (debugged !== undefined) fields.odebug = debugged[0];
  return fields;
};

/** What WARN() said: between "cut here" and the line, or the line after it. */
function warnText(lines: readonly LogLine[], lead: readonly LogLine[]): string | undefined {
  const cut = lead.findLastIndex(({ text }) => text.includes("[ cut here ]"));
  if (cut >= 0) {
    const before = lead
      .slice(cut + 1)
      .map(({ text }) => text.trim())
      .filter((text) => text !== "");
    if (before.length > 0) return before.join(" ");
  }
  const at = lines.findIndex(({ text }) => text.includes("WARNING:"));
  const after = lines[at + 1]?.text.trim();
  return after === undefined || after === "" || /^(?:Modules linked|CPU:|Kernel panic|Hardware name|RIP|Call Trace)/.test(after)
    ? undefined
    : after;
}
