/** Completion of file names behind `<`, `>` and `>>`; behind `|` nothing is offered. */
import { readdirSync } from "node:fs";
import type { Completion } from "../../commands/completion.ts";

const LIMIT = 200;

/** undefined when the cursor is not behind a redirection. */
export function completeFile(line: string): Completion | undefined {
  if (/\|[^)]*$/.test(line) && !/\([^)]*$/.test(line)) return { candidates: [], fragment: "" };
  const found = /(?:^|[^-])(?:<|>>?)\s*([^\s<>]*)$/.exec(line);
  if (found === null) return undefined;
  const fragment = found[1] as string;
  const directory = fragment.slice(0, fragment.lastIndexOf("/") + 1);
  try {
    const candidates = readdirSync(directory === "" ? "." : directory, { withFileTypes: true })
      .map((entry) => `${directory}${entry.name}${entry.isDirectory() ? "/" : ""}`)
      .filter((path) => path.startsWith(fragment));
    return { candidates: candidates.sort().slice(0, LIMIT), fragment };
  } catch {
    return { candidates: [], fragment };
  }
}
