/** What is shown on opening: the machine as `sys` shows it, and below it the task to start with. */
import { InquestError } from "../../bytes/errors.ts";
import type { Layout, Session } from "../../commands/command.ts";
import { contextLines, taskContext } from "../../commands/support/task-context.ts";
import { errorText } from "./report-error.ts";

/** Label column of `sys`. */
const WIDTH = 12;

/** Lines; a part that cannot be read is replaced by one line that says why. */
export function* bannerLines(session: Session): Iterable<string> {
  const layout: Layout = { radix: session.settings.radix };
  yield* part("sys", () => session.execute("sys").text(layout));
  if (session.minimal !== true) yield* part("set", () => contextLines(taskContext(session.kernel, session.context), WIDTH));
}

function* part(name: string, make: () => Iterable<string>): Iterable<string> {
  try {
    yield* make();
  } catch (error) {
    if (!(error instanceof InquestError)) throw error;
    yield errorText(name, error);
  }
}
