/** What the code that a line with `--api` prints answers, and what the line itself answers; both as JSON, to be held against each other. */
import type { Session } from "../../src/commands/command.ts";
import { jsonChunks } from "../../src/commands/json.ts";
import type { Kernel } from "../../src/library/kernel.ts";

/** Without the numbers that a session counts values by, and the names that a test opened its files by. */
function asJson(value: unknown): unknown {
  return JSON.parse(jsonChunks(value).join(""), (key, each) => (key === "number" || key === "dumpFiles" ? undefined : each));
}

/** Lines of the module that the line's `--api` prints. */
export function apiCode(session: Session, line: string): readonly string[] {
  return [...session.execute(`${line} --api`).text({ radix: 10 })];
}

export interface Answers {
  /** The code runs the command: the library has no call for it. */
  readonly runs: boolean;
  /** What the code answers: a part of `command`. */
  readonly script: unknown;
  readonly command: unknown;
}

export async function apiAnswers(session: Session, kernel: Kernel, line: string): Promise<Answers> {
  const text = apiCode(session, line).join("\n");
  const module = (await import(`data:text/javascript,${encodeURIComponent(text)}`)) as { default(kernel: Kernel): unknown };
  const script = asJson(await module.default(kernel));
  return { runs: text.includes("kernel.run("), script, command: asJson(session.execute(line).result) };
}
