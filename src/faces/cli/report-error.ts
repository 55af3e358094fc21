/** One line for any error: what could not be done, on what, why. A bug of ours says so and shows its stack only on request. */
import { InquestError } from "../../bytes/errors.ts";
import { describeError } from "../../commands/json.ts";
import { Interrupted } from "./interrupt.ts";
import { sanitize } from "./sanitize.ts";

/** The text for a person, without line end; several lines only with INQUEST_DEBUG=1. @param name the command, or "inquest" */
export function errorText(name: string, error: unknown, debug = process.env.INQUEST_DEBUG === "1"): string {
  if (error instanceof Interrupted) return `${name}: interrupted`;
  const { message } = describeError(error);
  if (error instanceof InquestError) {
    const text = message.startsWith(`${name}: `) ? message : `${name}: ${message}`;
    return sanitize(text.replace(/\s*\n\s*/g, " "));
  }
  const line = `${name}: internal error: ${message}; please report it with this line and the command`;
  return sanitize(debug && error instanceof Error && error.stack !== undefined ? `${line}\n${error.stack}` : line);
}
