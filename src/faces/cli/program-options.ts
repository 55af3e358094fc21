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
  /** Print one fact of the dump and leave, as crash does. */
  readonly fact: "osrelease" | "build-id" | undefined;
  /** `--debug-dir`, in order. */
  readonly debugDirectories: readonly string[];
  /** False with `--no-debug-info`: no debug file is searched for. */
  readonly searchDebugInfo: boolean;
  readonly forceVmlinux: boolean;
  readonly debuginfod: boolean;
  /** `--src`: directory of the kernel's source. */
  readonly src: string | undefined;
  /** False with `--no-cache`: nothing is kept from run to run. */
  readonly cache: boolean;
}

/** A command line that makes no sense; the message is one line. */
export class ProgramUsageError extends Error {}

export const USAGE = `\
Usage: inquest VMCORE [VMLINUX] [MODULE.ko]... [options]

Opens a Linux kernel crash dump, with or without the kernel's vmlinux, and answers crash's commands.
VMCORE is an ELF or KDUMP file (also flattened or split: give all parts), a RAM image as
FILE@ADDRESS[,FILE@ADDRESS], LiME or AVML. Which file is the vmlinux is seen from its content. Without
one, it is looked for where distributions install it, and used when its build-id is the dump's.

  -c COMMAND          run this command and leave; may be repeated
  -i FILE             run the commands in the file first, then show the prompt (on a terminal)
  --json              one line of JSON for each command
  -s                  no banner, no pager, no echo of commands
  --minimal           only commands that need no tasks and no types, for dumps that open no other way
  --zero-excluded     memory that was left out of the dump reads as zeroes
  --debug-dir DIR     look for the vmlinux and for modules' debug files here first; may be repeated
  --no-debug-info     do not look for debug files
  --debuginfod        fetch the vmlinux from the servers in DEBUGINFOD_URLS when it is not found
  --src DIR           the kernel's source, for dis -s
  --no-cache          do not use or write the index of names in INQUEST_CACHE_DIR (default ~/.cache/inquest)
  --force-vmlinux     use the given vmlinux although it is of another build
  --hex, --dec        radix of printed numbers
  --offline show|hide offline CPUs in the output
  --no-scroll         no pager
  --no-rc             do not run .inquestrc or .crashrc
  --osrelease, --build-id
                      print the kernel's release or build-id and leave
  -h, --help [NAME]   this text, or a command's page (also: input, output, all)
  -v, --version

The exit status is 0 only if every command succeeded.

inquest analyze VMCORE...  says what killed the kernel, and compares dumps (inquest analyze --help)
inquest explain FILE...    finds and explains the kernel reports in logs (inquest explain --help)`;

/** crash's spellings. */
const SPELLINGS: Readonly<Record<string, string>> = {
  "--zero_excluded": "--zero-excluded",
  "--no_scroll": "--no-scroll",
  "--no_crashrc": "--no-rc",
  "--no-crashrc": "--no-rc",
  "--mod": "--debug-dir",
};

/** Options of crash that scripts pass and that change nothing here; those with an argument take the next word with them. */
const IGNORED = new Set([
  "--readnow",
  "--smp",
  "--no_modules",
  "--no_kallsyms",
  "--no_kmem_cache",
  "--no_ikconfig",
  "--no_data_debug",
  "--no_elf_notes",
  "--no_panic",
  "--no_strip",
  "--kmem_cache_delay",
  "--less",
  "--more",
  "--CRASHPAGER",
]);
const IGNORED_WITH_ARGUMENT = new Set(["-d", "-e", "--hash", "--cpus", "--max-malloc-bufs"]);

function ownWords(words: readonly string[]): string[] {
  const own: string[] = [];
  for (let i = 0; i < words.length; i++) {
    const word = words[i] as string;
    if (IGNORED_WITH_ARGUMENT.has(word)) i++;
    else if (word === "-c" || word === "-i") own.push(word, ...words.slice(++i, i + 1));
    else if (!IGNORED.has(word)) own.push(SPELLINGS[word] ?? word);
  }
  return own;
}

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
    .option("--osrelease")
    .option("--build-id")
    .option("--debug-dir <directory>", "", collect, [] as readonly string[])
    .option("--no-debug-info")
    .option("--force-vmlinux")
    .option("--debuginfod")
    .option("--src <directory>")
    .option("--no-cache")
    .helpOption(false)
    .exitOverride()
    .configureOutput({ writeErr: () => {}, writeOut: () => {} });
  try {
    program.parse(ownWords(words), { from: "user" });
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
    osrelease?: boolean;
    buildId?: boolean;
    debugDir: readonly string[];
    debugInfo: boolean;
    forceVmlinux?: boolean;
    debuginfod?: boolean;
    src?: string;
    cache: boolean;
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
    fact: found.osrelease === true ? "osrelease" : found.buildId === true ? "build-id" : undefined,
    debugDirectories: found.debugDir,
    searchDebugInfo: found.debugInfo,
    forceVmlinux: found.forceVmlinux ?? false,
    debuginfod: found.debuginfod ?? false,
    src: found.src,
    cache: found.cache,
  };
}
