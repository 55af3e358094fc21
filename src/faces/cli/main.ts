/** The program's entry: runs it and turns what escapes into one line and an exit status. */
import { InquestError } from "../../bytes/errors.ts";
import { workerSettings } from "../../bytes/worker-pool.ts";
import { EXIT, program } from "./program.ts";
import { ProgramUsageError } from "./program-options.ts";
import { errorText } from "./report-error.ts";
import { sanitize } from "./sanitize.ts";
import { ScriptError } from "./script-error.ts";
import { writeAll } from "./write-all.ts";

/** Set by scripts/bundle.mjs. */
declare const INQUEST_WORKER: string | undefined;
workerSettings.script = new URL(typeof INQUEST_WORKER === "string" ? INQUEST_WORKER : "../index-worker.js", import.meta.url);

function fail(error: unknown): void {
  if (error instanceof ProgramUsageError) {
    writeAll(2, `inquest: ${error.message}; "inquest --help" shows what is understood\n`);
    process.exitCode = EXIT.misused;
  } else if (error instanceof ScriptError) {
    writeAll(2, `${sanitize(error.message.replace(/\s*\n\s*/g, " "))}\n`);
    process.exitCode = EXIT.failed;
  } else {
    writeAll(2, `${errorText("inquest", error)}\n`);
    process.exitCode = error instanceof InquestError ? EXIT.failed : EXIT.internal;
  }
}

process.on("uncaughtException", (error) => {
  fail(error);
  process.exit();
});

program(process.argv.slice(2))
  .then((status) => {
    process.exitCode = status;
  }, fail)
  // Nothing is left to do: a child that keeps a pipe open must not keep the program.
  .finally(() => process.exit());
