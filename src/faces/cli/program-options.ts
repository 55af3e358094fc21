/** The program's own command line. Files may stand anywhere; crash's spellings of long options are understood. */
import { Command, CommanderError, Option } from "commander";

export interface ProgramOptions {
  readonly files: readonly string[];
  /** `-c`, in order. */
  readonly commands: readonly string[];
  /** `-i`. */
  readonly inputFile: string | undefined;
  readonly json: boolean;
  readonly silent: boolean;
  readonly minimal: boolean;
  readonly zeroExcluded: boolean;
  readonly scroll: boolean;
  readonly rcFiles: boolean;
  readonly radix: 10 | 16 | undefined;
  readonly offline: "show" | "hide" | undefined;
  /** `--help`: true, or the command whose page is wanted. */
  readonly help: string | true | undefined;
  readonly version: boolean;
}

/** A command line that makes no sense; the message is one line. */
export class ProgramUsageError extends Error {}

export const USAGE = `\
Usage: inquest VMCORE [VMLINUX] [options]

Opens a Linux kernel crash dump, with or without the kernel's vmlinux, and answers crash's commands.
VMCORE is an ELF or KDUMP file (also flattened or split: give all parts), a RAM image as
FILE@ADDRESS[,FILE@ADDRESS], LiME or AVML. Which file is the vmlinux is seen from its content.

  -c COMMAND          run this command and leave; may be repeated
  -i FILE             run the commands in the file first, then show the prompt (on a terminal)
  --json              one line of JSON for each command
  -s                  no banner, no pager, no echo of commands
  --minimal           only commands that need no tasks and no types, for dumps that open no other way
  --zero-excluded     memory that was left out of the dump reads as zeroes
  --hex, --dec        radix of printed numbers
  --offline show|hide offline CPUs in the output
  --no-scroll         no pager
  --no-rc             do not run .inquestrc or .crashrc
  -h, --help [NAME]   this text, or a command's page (also: input, output, all)
  -v, --version

The exit status is 0 only if every command succeeded.`;

/** crash's spellings. */
const SPELLINGS: Readonly<Record<string, string>> = {
  "--zero_excluded": "--zero-excluded",
  "--no_scroll": "--no-scroll",
  "--no_crashrc": "--no-rc",
  "--no-crashrc": "--no-rc",
};

/** Parses the words after the program's name. Throws ProgramUsageError. */
export function parseProgramOptions(words: readonly string[]): ProgramOptions {
  const collect = (value: string, previous: readonly string[]) => [...previous, value];
  const program = new Command("inquest")
    .argument("[files...]")
    .option("-c, --command <command>", "", collect, [] as readonly string[])
    .option("-i, --input <file>")
    .option("--json")
    .option("-s, --silent")
    .option("--minimal")
    .option("--zero-excluded")
    .option("--hex")
    .option("--dec")
    .addOption(new Option("--offline <what>").choices(["show", "hide"]))
    .option("--no-scroll")
    .option("--no-rc")
    .option("-h, --help [name]")
    .option("-v, --version")
    .helpOption(false)
    .exitOverride()
    .configureOutput({ writeErr: () => {}, writeOut: () => {} });
  try {
    program.parse(
      words.map((word) => SPELLINGS[word] ?? word),
      { from: "user" },
    );
  } catch (error) {
    if (error instanceof CommanderError) throw new ProgramUsageError(error.message.replace(/^error: /, "").replace(/\s*\n\s*/g, " "));
    throw error;
  }
  const found = program.opts<{
    command: readonly string[];
    input?: string;
    json?: boolean;
    silent?: boolean;
    minimal?: boolean;
    zeroExcluded?: boolean;
    hex?: boolean;
    dec?: boolean;
    offline?: "show" | "hide";
    scroll: boolean;
    rc: boolean;
    help?: string | true;
    version?: boolean;
  }>();
  return {
    files: program.args,
    commands: found.command,
    inputFile: found.input,
    json: found.json ?? false,
    silent: found.silent ?? false,
    minimal: found.minimal ?? false,
    zeroExcluded: found.zeroExcluded ?? false,
    scroll: found.scroll,
    rcFiles: found.rc,
    radix: found.hex === true ? 16 : found.dec === true ? 10 : undefined,
    offline: found.offline,
    help: found.help,
    version: found.version ?? false,
  };
}
