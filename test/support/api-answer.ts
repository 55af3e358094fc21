/** What the code that a line with `--api` prints answers, and what the line itself answers; both as JSON, to be held against each other. */
import { expect } from "vitest";
import { InquestError } from "../../src/bytes/errors.ts";
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

/** True when the line has an answer; false when this kernel has nothing of the kind, and the line says so. */
export function hasAnswer(session: Session, line: string): boolean {
  try {
    return session.execute(line) !== undefined;
  } catch (error) {
    if (error instanceof InquestError) return false;
    throw error;
  }
}

/** The printed code answers a part of what the line does, without running it; where the line refuses, so does the code. */
export async function expectSameAnswer(session: Session, kernel: Kernel, line: string): Promise<void> {
  if (!hasAnswer(session, line)) {
    await expect(apiAnswers(session, kernel, line)).rejects.toThrow(InquestError);
    return;
  }
  const { runs, script, command } = await apiAnswers(session, kernel, line);
  expect(runs).toBe(false);
  expect(command).toMatchObject(script as object);
}
