/** The program's entry: runs it and turns what escapes into one line and an exit status. */
import { InquestError } from "../../bytes/errors.ts";
import { EXIT, program } from "./program.ts";
import { ProgramUsageError } from "./program-options.ts";
import { errorText } from "./report-error.ts";
import { writeAll } from "./write-all.ts";

function fail(error: unknown): void {
  if (error instanceof ProgramUsageError) {
    writeAll(2, `inquest: ${error.message}; "inquest --help" shows what is understood\n`);
    process.exitCode = EXIT.misused;
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
