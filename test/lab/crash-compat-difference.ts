/** How an answer of Inquest's may differ from crash's on purpose: the reason, and what must hold of the two all the same. */

export interface Difference {
  readonly why: string;
  /** The answers are equal on some dumps. */
  readonly sometimes?: true;
  /** What still ties our answer to crash's; both come normalised. */
  readonly holds: (crash: string, inquest: string) => boolean;
}

export interface CompatLine {
  readonly line: string;
  /** Absent: the answers must be equal. */
  readonly differs?: Difference;
}

export const same = (...lines: readonly string[]): CompatLine[] => lines.map((line) => ({ line }));

export const differs = (difference: Difference, ...lines: readonly string[]): CompatLine[] =>
  lines.map((line) => ({ line, differs: difference }));

/**
 * Spaces at the ends of lines, empty lines at the end, and how many values gdb has counted are no difference; neither are the compiler's
 * endings of function names, which crash cuts off.
 */
export function normal(text: string): string {
  return text
    .replace(/[ \t]+$/gm, "")
    .replace(/\$\d+ =/g, "$N =")
    .replace(/(\.(part|isra)\.\d+)+/g, "")
    .replace(/(\w\+(0x)?[0-9a-f]+) {2,}/g, "$1 ")
    .replace(/\n+$/, "");
}

/** Equal once the same is done to both. */
export const after =
  (change: (text: string) => string): Difference["holds"] =>
  (crash, inquest) =>
    normal(change(crash)) === normal(change(inquest));

/** Equal without the lines that match. */
export const without = (pattern: RegExp): Difference["holds"] =>
  after((text) =>
    text
      .split("\n")
      .filter((line) => !pattern.test(line))
      .join("\n"),
  );

/** Our answer is like this. */
export const ours =
  (pattern: RegExp): Difference["holds"] =>
  (_crash, inquest) =>
    pattern.test(inquest);

/** Our answer begins with crash's. */
export const crashIn: Difference["holds"] = (crash, inquest) => inquest.startsWith(crash);

/** Every line of one side is a line of the other's. */
export const linesIn =
  (side: "crash" | "ours"): Difference["holds"] =>
  (crash, inquest) => {
    const [few, many] = side === "crash" ? [crash, inquest] : [inquest, crash];
    const all = new Set(many.split("\n"));
    return few.split("\n").every((line) => all.has(line));
  };

/** Our answer is one line that names the command or the program. */
export const oneLine: Difference["holds"] = (_crash, inquest) => /^\w+: [^\n]+$/.test(inquest);

/**
 * Every frame of crash's stacks is one of ours, in the same order; the headers and the registers of exceptions are there too. Of two names
 * of one function crash and the kernel take different ones.
 */
export const framesIn: Difference["holds"] = (crash, inquest) => {
  const rows = (text: string) => text.split("\n").map((line) => line.replace(/^ *#\d+ (\[\w+\]) \S+ at /, "# $1 at "));
  const theirs = rows(crash);
  let next = 0;
  for (const row of rows(inquest)) if (row === theirs[next]) next++;
  return next === theirs.length;
};
