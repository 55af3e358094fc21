/** slub_debug (mm/slub.c), kmemleak (mm/kmemleak.c), page state (mm/page_alloc.c, mm/debug.c), OOM (mm/oom_kill.c), machine checks. */
import { type FieldParser, type Fields, find, hex } from "./fields.ts";

export const slubFields: FieldParser = (lines, lead) => {
  const fields: Fields = {};
  const head = find(lines, /BUG ([\w.:-]+)(?: \([^)]*\))?(?: \([^)]*\))?: (.*)$/);
  if (head !== undefined) Object.assign(fields, { cache: head[1] ?? "", kind: (head[2] ?? "").trim() });
  // Since 6.16, and in stable releases: "[Right Redzone overwritten] 0x…-0x…" stands before the head, which only says "Object corrupt".
  const before = find(lead.slice(-6), /^\[([\w ]+ overwritten)\] 0x[0-9a-f]+-0x/);
  if (before !== undefined && fields.kind === "Object corrupt") fields.kind = before[1] ?? "";
  const bytes =
    find(
      before === undefined ? [] : lead.slice(-6),
      /0x([0-9a-f]+)-0x([0-9a-f]+) @offset=(\d+)\. First byte 0x([0-9a-f]+) instead of 0x([0-9a-f]+)/,
    ) ??
    find(lines, /0x([0-9a-f]+)-0x([0-9a-f]+) @offset=(\d+)\. First byte 0x([0-9a-f]+) instead of 0x([0-9a-f]+)/) ??
    find(lines, /0x([0-9a-f]+)-0x([0-9a-f]+)()\. First byte 0x([0-9a-f]+) instead of 0x([0-9a-f]+)/);
  if (bytes !== undefined)
    Object.assign(fields, { faultAddress: hex(bytes[1]), end: hex(bytes[2]), found: bytes[4] ?? "", expected: bytes[5] ?? "" });
  for (const [name, word] of [
    ["allocatedIn", "Allocated"],
    ["freedIn", "Freed"],
  ] as const) {
    const track = find(lines, new RegExp(`${word} in (\\S+?)\\+0x\\S* age=(\\d+) cpu=(\\d+) pid=(\\d+)`));
    if (track !== undefined) fields[name] = track[1] ?? "";
  }
  const object = find(lines, /Object 0x([0-9a-f]+) @offset=/);
  if (object !== undefined) fields.object = hex(object[1]);
  return fields;
};

export const kmemleakFields: FieldParser = (lines) => {
  const fields: Fields = {};
  const head = find(lines, /unreferenced object (?:\(percpu\) )?0x([0-9a-f]+) \(size (\d+)\)/);
  if (head !== undefined) Object.assign(fields, { object: hex(head[1]), size: Number(head[2]) });
  const who = find(lines, /comm "([^"]*)", pid (\d+)/);
  if (who !== undefined) Object.assign(fields, { comm: who[1] ?? "", pid: Number(who[2]) });
  return fields;
};

export const pageFields: FieldParser = (lines) => {
  const fields: Fields = {};
  const head = find(
    lines,
    /BUG: (Bad (?:page state|page map|page cache|rss-counter|swap file)|non-zero \w+)(?: in process (\S+)\s+(?:pfn:([0-9a-f]+))?)?/i,
  );
  if (head !== undefined) {
    fields.kind = head[1] ?? "";
    if (head[2] !== undefined) fields.comm = head[2];
    if (head[3] !== undefined) fields.pfn = Number.parseInt(head[3], 16);
  }
  const why = find(lines, /page dumped because: (.*)$/);
  if (why !== undefined) fields.why = (why[1] ?? "").trim();
  const flags = find(lines, /^(?:page )?flags: 0x[0-9a-f]+\(([^)]*)\)/);
  if (flags !== undefined) fields.flags = flags[1] ?? "";
  return fields;
};

export const oomFields: FieldParser = (lines) => {
  const fields: Fields = {};
  const head = find(lines, /^(?:(.{1,16}) invoked )?oom-killer: gfp_mask=(0x[0-9a-f]+)(?:\(([^)]*)\))?.*?order=(-?\d+)/);
  if (head !== undefined)
    Object.assign(fields, {
      ...(head[1] === undefined ? {} : { comm: head[1] }),
      gfp: head[3] ?? head[2] ?? "",
      order: Number(head[4]),
    });
  const constraint = find(lines, /oom-kill:constraint=(CONSTRAINT_\w+)/);
  if (constraint !== undefined) fields.constraint = constraint[1] ?? "";
  if (find(lines, /Memory cgroup out of memory|memory: usage .* limit|Task in \/\S+ killed as a result of limit/) !== undefined)
    fields.constraint ??= "CONSTRAINT_MEMCG";
  // Before 4.20 it first said whom it had chosen, and then killed a child of it instead.
  const chosen = String.raw`(\d+)(?:,? UID \d+,)? \((.{1,64}?)\)(?=,? |\.|$)`;
  const killed = find(lines, new RegExp(`[Kk]illed process ${chosen}`)) ?? find(lines, new RegExp(`[Kk]ill process ${chosen}`));
  if (killed !== undefined) Object.assign(fields, { victim: killed[2] ?? "", victimPid: Number(killed[1]) });
  const group = find(lines, /oom_memcg=([^,\s]+)/) ?? find(lines, /killed as a result of limit of (\S+)/);
  if (group !== undefined) fields.group = group[1] ?? "";
  const limit = find(lines, /memory: usage \d+kB, limit (\d+)kB/);
  if (limit !== undefined) fields.limitKiB = Number(limit[1]);
  const rss = find(lines, /anon-rss:(\d+)kB/);
  if (rss !== undefined) fields.victimAnonKiB = Number(rss[1]);
  return fields;
};

export const machineCheckFields: FieldParser = (lines) => {
  const fields: Fields = {};
  const bank = find(lines, /CPU (\d+): Machine Check(?: Exception)?: ([0-9a-f]+) Bank (\d+): ([0-9a-f]+)/);
  if (bank !== undefined) Object.assign(fields, { cpu: Number(bank[1]), bank: Number(bank[3]), status: hex(bank[4]) });
  const device = find(lines, /^(?:\S+ )?([0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]): (?:AER|PCIe Bus Error): .*\(Fatal\)/);
  if (device !== undefined) fields.device = device[1] ?? "";
  const layer = find(lines, /PCIe Bus Error: severity=\S+ \(Fatal\), type=([^,]+)/);
  if (layer !== undefined) fields.layer = layer[1] ?? "";
  const severity = find(lines, /event severity: (\w+)/);
  if (severity !== undefined) fields.severity = severity[1] ?? "";
  const abort = find(lines, /(synchronous external abort): ([0-9a-f]+)/i);
  if (abort !== undefined) fields.esr = hex(abort[2]);
  return fields;
};
