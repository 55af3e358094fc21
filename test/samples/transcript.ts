/**
 * Command lines and what they answer, as a user of the program sees them, run in the test's own process:
 *
 *   inquest> ps -A | tail 1
 *   >       1       0   1  ff46d027411f20c0  RU   0.6     2304     1676  init
 *
 * `| head N`, `| tail N` and `| grep TEXT` keep a transcript small and need no shell.
 */
import { InquestError } from "../../src/bytes/errors.ts";
import type { Session } from "../../src/commands/command.ts";
import { errorText } from "../../src/faces/cli/report-error.ts";

const FILTER = /^(.*) \| (head|tail|grep) (.*)$/;

function answer(session: Session, line: string): string[] {
  const [, before, filter, argument = ""] = FILTER.exec(line) ?? [];
  const command = (before ?? line).trim();
  const lines: string[] = [];
  const limit = filter === "head" ? Number(argument) : Number.POSITIVE_INFINITY;
  try {
    const outcome = session.execute(command);
    for (const text of outcome.text({ radix: session.settings.radix })) {
      if (lines.length >= limit) break;
      lines.push(text);
    }
  } catch (error) {
    if (!(error instanceof InquestError)) throw error;
    lines.push(errorText(/^\S+/.exec(command)?.[0] ?? "", error));
  }
  if (filter === "tail") return lines.slice(-Number(argument));
  return filter === "grep" ? lines.filter((text) => text.includes(argument)) : lines;
}

/** The transcript of several lines, one session through. */
export function transcript(session: Session, lines: readonly string[]): string {
  return lines.map((line) => [`inquest> ${line}`, ...answer(session, line), ""].join("\n")).join("\n");
}
