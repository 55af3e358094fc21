/**
 * Takes off what loggers put before a line of the kernel, in any order and any number of layers:
 *
 *   > Nov 19 10:00:01 host kernel: <4>[   12.345678][    T1] text
 *   │ └ syslog                     │  └ time        └ caller (CONFIG_PRINTK_CALLER)
 *   └ quoted mail                  └ level
 *
 * Written after kernel/printk/printk.c (info_print_prefix, print_caller), drivers/net/netconsole.c (extended header) and the manual pages
 * of dmesg(1) and journalctl(1). Lines of two consoles glued together ("login: [   12.3] text") are cut at the time.
 */

export interface PrefixedText {
  readonly text: string;
  readonly time?: number;
  readonly level?: number;
  readonly caller?: string;
  /** A time of the kernel stood before the text, or its name, so the line is the kernel's. */
  readonly stamped: boolean;
  /** A program of the named process id wrote it. */
  readonly program?: true;
}

/** A ">" right before other characters is KASAN's mark of a shadow row. */
const QUOTE = /^(?:>(?=[ >]|$) ?)+/;
/** dmesg -x: facility and level in words. */
const LEVEL_WORDS = /^(?:kern|user|daemon) {0,2}:(emerg|alert|crit|err|warn|notice|info|debug) {0,2}: /;
const LEVELS: readonly string[] = ["emerg", "alert", "crit", "err", "warn", "notice", "info", "debug"];
const LEVEL = /^<(\d{1,3})>/;
const DROPPED = /^\*\* \d+ printk messages dropped \*\*\s*/;
const REPLAYED = /^\*\* replaying previous printk message \*\*\s*/;
const CLOCK = String.raw`\d\d:\d\d:\d\d(?:[.,]\d+)?`;
const DAY = String.raw`[A-Z][a-z]{2} [ \d]?\d ${CLOCK}`;
const ISO = String.raw`\d{4}-\d\d-\d\d[T ]${CLOCK}(?:Z|[+-]\d\d:?\d\d)?`;
/** Dates of syslog, logread (OpenWrt) and of journalctl's outputs (short, short-precise, short-iso, short-full, short-unix). */
const DATE = String.raw`(?:[A-Z][a-z]{2} (?=[A-Z\d]))?(?:${DAY}(?: \d{4})?|${ISO}(?: (?:UTC|MSK|[A-Z]{2,4}T)(?= ))?)`;
/** In the words of the reader's language, so only before "host kernel:". */
const FOREIGN_DATE = String.raw`(?:(?:\p{L}{2,6}\.?|\d{1,2}月) {1,2}\d{1,2} ${CLOCK}|\d{10}\.\d{6})`;
const KERNEL = String.raw`(?:kern\.\w+:? )?(?:kernel|vmunix|klogd)(?:\[\d*-?\])?:`;
const SYSLOG = new RegExp(
  String.raw`^(?:${DATE}(?:(?: (?!kern\.)\S+)? ${KERNEL}| kern\.\w+:| (?:stdout|stderr) [FP](?= )| [\w.-]+(?= \[\s*\d))?|${FOREIGN_DATE} \S+ ${KERNEL}|${CLOCK}(?: \S+ ${KERNEL})?(?= ))\s?`,
  "u",
);
const SAYS_KERNEL = /(?:kernel|vmunix|klogd)(?:\[\d*-?\])?:\s?$|kern\.\w+:\s?$/;
/** What a program wrote into the same log. */
const PROGRAM = new RegExp(String.raw`^${DATE} [\w.-]+ (?!(?:kernel|vmunix|klogd)\b)[\w./@()-]{1,64}\[\d+\]: `);
/** What rsyslog writes to every terminal (omusrmsg): a line of its own, then " kernel:text". */
const TO_ALL = /^ ?kernel:/;
const TO_ALL_FROM = /^Message from syslogd@\S+ at .{10,30}\.\.\.$/;
/** `logcat`, which gives what the kernel says process 0. */
const LOGCAT = /^\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}\s+(?:root\s+)?0\s+0 [VDIWEF] (?:kernel)?\s*: /i;
/** Tools that read the memory of a phone that died: "  1276.715086:   <1> (01-28 07:22:33.314355613) text". */
const RAM_DUMP = /^\s*(\d{1,10}\.\d{6}): +<(\d)> (?:\(\d\d-\d\d \d\d:\d\d:\d\d\.\d+\) )?/;
const JOURNAL_MONOTONIC = /^\[\s*\d+\.\d{6}\] \S+ kernel: /;
const NETCONSOLE = /^(\d{1,3}),\d+,(\d+),[-c](?:,caller=([TC]\d+))?;/;
/** dmesg -T, -d, -H (the minute, then what passed since the line before); the weekday keeps other brackets out. */
const WALL_CLOCK =
  /^\[(?:(?:\d{4}-\d\d-\d\d[T ])?\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?|[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4}|[A-Z][a-z]{2} {1,2}\d{1,2} \d\d:\d\d|\s*\+\d+\.\d+|\s*<\s*\d+\.\d+>)\]\s?/;
/** dmesg of util-linux puts a blank between the time and the caller. On MediaTek's kernels the CPU and the task follow, "(0)[848:comm]", with "-" before them where interrupts are off. */
const STAMP = /\[\s*(\d{1,10}\.\d{6})(?:\s*[@|,][^\]]*)?\s*\](?: ?\[\s*([TC]\d+)\s*\])?(?:[ -]\((\d+)\)(?:\[\d{1,7}:[^\]]{1,16}\])?)?/;
const STAMPS = new RegExp(STAMP.source, "g");
const CALLER_ALONE = /^\[\s*([TC]\d+)\s*\]\s?/;
const ANDROID_CPU = /^\s?(?:c\d+\s+(?:\d+\s+)?|@\d\s)(?=\S)/;
const PSTORE_TAIL = /\s+$/;

/** Splits one line of input into the pieces of kernel text it holds: one, or more when newlines were lost between two times. */
export function takePrefix(line: string): PrefixedText[] {
  const first = line.indexOf("[");
  // Most lines of a report have no time in the middle.
  if (first < 0 || !STAMP.test(line)) return [plain(line)];
  const monotonic = JOURNAL_MONOTONIC.exec(line);
  if (monotonic !== null) {
    const time = Number(/[\d.]+/.exec(monotonic[0])?.[0]);
    const inner = plain(line.slice(monotonic[0].length));
    return [{ time, ...inner, stamped: true }];
  }
  const pieces: PrefixedText[] = [];
  STAMPS.lastIndex = 0;
  let before = "";
  let open: { time: number; caller?: string; from: number; level?: number } | undefined;
  for (let match = STAMPS.exec(line); match !== null; match = STAMPS.exec(line)) {
    if (open === undefined) {
      before = line.slice(0, match.index);
    } else pieces.push(stampedPiece(open, line.slice(open.from, match.index)));
    const level = LEVEL.exec(before.slice(-5).replace(/^[^<]*/, ""))?.[1];
    open = {
      time: Number(match[1]),
      from: match.index + match[0].length,
      ...(match[2] === undefined ? {} : { caller: match[2] }),
      ...(level === undefined || pieces.length > 0 ? {} : { level: Number(level) & 7 }),
    };
    if (pieces.length > 16) break;
  }
  if (open === undefined) return [plain(line)];
  pieces.push(stampedPiece(open, line.slice(open.from)));
  const rest = plain(before);
  // What stands before the first time is a prefix of a logger, or the end of another line.
  if (rest.text.trim().length > 1 && !/(?:kernel|KERNEL)(?:\[\S*\])?:\s*$|[\w-]+ {0,2}:\s*$|^\S*\s*$|\d\d:\d\d:\d\d\S*\s*$/.test(before))
    return [rest, ...pieces];
  return pieces;
}

function stampedPiece(open: { time: number; caller?: string; level?: number }, raw: string): PrefixedText {
  let text = raw.startsWith(" ") ? raw.slice(1) : raw;
  const android = ANDROID_CPU.exec(text);
  if (android !== null) text = text.slice(android[0].length);
  const { time, caller, level } = open;
  return {
    text: text.replace(PSTORE_TAIL, ""),
    time,
    stamped: true,
    ...(caller === undefined ? {} : { caller }),
    ...(level === undefined ? {} : { level }),
  };
}

/** A line without a time: whatever else may stand before it goes. */
function plain(line: string): PrefixedText {
  let text = line;
  let level: number | undefined;
  let time: number | undefined;
  let caller: string | undefined;
  let stamped = false;
  let program = false;
  for (let layer = 0; layer < 6; layer++) {
    const before = text;
    text = text.replace(QUOTE, "").replace(DROPPED, "").replace(REPLAYED, "");
    program ||= PROGRAM.test(text);
    const syslog = SYSLOG.exec(text);
    if (syslog !== null) {
      stamped ||= SAYS_KERNEL.test(syslog[0]);
      text = text.slice(syslog[0].length);
    }
    const phone = LOGCAT.exec(text);
    if (phone !== null) {
      stamped = true;
      text = text.slice(phone[0].length);
    }
    const told = TO_ALL.exec(text);
    if (told !== null) {
      stamped = true;
      text = text.slice(told[0].length);
    }
    program ||= TO_ALL_FROM.test(text);
    const ram = RAM_DUMP.exec(text);
    if (ram !== null) {
      time = Number(ram[1]);
      level = Number(ram[2]);
      stamped = true;
      text = text.slice(ram[0].length);
    }
    const netconsole = NETCONSOLE.exec(text);
    if (netconsole !== null) {
      level = Number(netconsole[1]) & 7;
      time = Number(netconsole[2]) / 1e6;
      caller = netconsole[3];
      stamped = true;
      text = text.slice(netconsole[0].length);
    }
    const marked = LEVEL.exec(text);
    if (marked !== null) {
      level = Number(marked[1]) & 7;
      text = text.slice(marked[0].length);
    }
    const word = LEVEL_WORDS.exec(text);
    if (word !== null) {
      level = LEVELS.indexOf(word[1] ?? "");
      stamped = true;
      text = text.slice(word[0].length);
    }
    const clock = WALL_CLOCK.exec(text);
    if (clock !== null) {
      stamped = true;
      text = text.slice(clock[0].length);
    }
    const alone = CALLER_ALONE.exec(text);
    if (alone !== null && (clock !== null || stamped)) {
      caller = alone[1];
      text = text.slice(alone[0].length);
    }
    if (text === before) break;
  }
  return {
    text: text.replace(PSTORE_TAIL, ""),
    stamped,
    ...(level === undefined ? {} : { level }),
    ...(time === undefined ? {} : { time }),
    ...(caller === undefined ? {} : { caller }),
    ...(program ? { program: true as const } : {}),
  };
}
