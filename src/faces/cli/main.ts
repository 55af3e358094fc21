/** The program: opens the dump, runs what the command line asks for, else shows the prompt. Its result is the exit status. */
import { InquestError } from "../../bytes/errors.ts";
import { createSession } from "../../commands/session.ts";
import { openKernel } from "../../kernel/open.ts";
import { ProgramUsageError, parseProgramOptions, USAGE } from "./program-options.ts";
import { ProgressLine } from "./progress.ts";
import { errorText } from "./report-error.ts";
import { Runner } from "./runner.ts";
import { version } from "./version.ts";
import { writeAll } from "./write-all.ts";

const FAILED = 1;
const MISUSED = 2;

async function main(words: readonly string[]): Promise<number> {
  const options = parseProgramOptions(words);
  if (options.version) {
    writeAll(1, `inquest ${version}\n`);
    return 0;
  }
  if (options.help !== undefined || options.files.length === 0) {
    writeAll(options.help === undefined ? 2 : 1, `${USAGE}\n`);
    return options.help === undefined ? MISUSED : 0;
  }
  const progress = process.stderr.isTTY ? new ProgressLine() : undefined;
  const kernel = await openKernel(options.files, { zeroExcluded: options.zeroExcluded });
  progress?.clear();
  const session = createSession(kernel, { minimal: options.minimal });
  const runner = new Runner(session, { json: options.json, interactive: false, echo: false, progress });
  let ok = true;
  for (const command of options.commands) ok = (await runner.line(command)) && ok;
  return ok ? 0 : FAILED;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (error instanceof ProgramUsageError) {
    writeAll(2, `inquest: ${error.message}; "inquest --help" shows what is understood\n`);
    process.exitCode = MISUSED;
  } else {
    writeAll(2, `${errorText("inquest", error)}\n`);
    process.exitCode = error instanceof InquestError ? FAILED : 70;
  }
}
