/**
 * What pstore kept of a log (fs/pstore/platform.c pstore_dump): records of a few KB, each a file with a line before its piece of the log.
 * The newest piece is written first, for there may be no room for all.
 *
 *   dmesg-efi-…01001  "Panic#2 Part1"  ◄─ the end of the log          Part3 │ Part2 │ Part1
 *   dmesg-efi-…02001  "Panic#2 Part2"                                 ─────────────────────► time
 *
 * A record of an oops and one of the panic that follows hold the same lines twice: each dump is a log of its own.
 */

/** Which piece of which dump. */
export interface StoredPart {
  /** "Panic#2": why it was written, and how many oopses there were. */
  readonly dump: string;
  readonly part: number;
}

/** Reasons of kmsg_dump_reason_str() in all releases; ramoops puts a line with the time before ("====1732183201.123456-D"). */
const HEADER =
  /^(?:====\d+\.\d+(?:-[CD])?\r?\n)?((?:Panic|Oops|Emergency|Restart|Halt|Poweroff|Shutdown|Kexec|MCE|Unknown)#\d+) Part(\d+)\r?\n/;
const HEADERS = new RegExp(HEADER.source, "gm");
/** Longer than any header. */
export const HEADER_BYTES = 128;

/** What the beginning of a file says it is; undefined when it is no record of pstore. */
export function storedPart(beginning: string): StoredPart | undefined {
  const match = HEADER.exec(beginning);
  return match === null ? undefined : { dump: match[1] ?? "", part: Number(match[2]) };
}

/** Pieces by the dump they are of, each dump's in the order of time; dumps in the order they are met. */
export function byDump<T>(pieces: readonly (StoredPart & { readonly value: T })[]): ReadonlyMap<string, readonly T[]> {
  const dumps = new Map<string, (StoredPart & { readonly value: T })[]>();
  for (const piece of pieces) {
    const same = dumps.get(piece.dump);
    if (same === undefined) dumps.set(piece.dump, [piece]);
    else same.push(piece);
  }
  return new Map([...dumps].map(([dump, parts]) => [dump, parts.sort((a, b) => b.part - a.part).map(({ value }) => value)]));
}

/** A text of one or more records as logs in the order of time, without the records' own lines; undefined when it is none. */
export function storedLogs(text: string): readonly string[] | undefined {
  if (storedPart(text) === undefined) return undefined;
  const found = [...text.matchAll(HEADERS)];
  const pieces = found.map((match, index) => ({
    dump: match[1] ?? "",
    part: Number(match[2]),
    value: text.slice(match.index + match[0].length, found[index + 1]?.index ?? text.length),
  }));
  return [...byDump(pieces).values()].map((parts) =>
    parts.map((part) => (part === "" || part.endsWith("\n") ? part : `${part}\n`)).join(""),
  );
}
