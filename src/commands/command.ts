/**
 * What a command is: a spec that feeds the parser, the help, completion and the manual; run() which answers with data; text() which
 * lays that data out as crash users expect.
 *
 *   line → parseArguments(spec) → run(session, arguments) → result ──► text(result) → lines
 *                                                              └────► JSON (json.ts)
 *
 * In a result a bigint is an address or a raw word and is shown as hex ("0x…" in JSON); a number is a quantity. A result may hold lazy
 * sequences (Iterable): text() pulls them and every line goes out as soon as it is known, so Ctrl-C keeps what was printed; JSON
 * drains them into arrays.
 */

import type { VirtualAddress } from "../bytes/address.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { ParsedArguments } from "./arguments.ts";

/** One option of a command. `flag` is written with its dash: "-a", "-FF", "-16". */
export interface OptionSpec {
  readonly flag: string;
  /** Name of its argument; absent for a switch. */
  readonly argument?: string;
  /** Name of a value that may follow behind "=", as in `-i=shared`; ParsedArguments.value() is "" without. */
  readonly attached?: string;
  /** One line for the help. */
  readonly help: string;
}

/** What an operand may be; drives completion. */
export type OperandKind = "symbol" | "type" | "member" | "task" | "command" | "file" | "number" | "module" | "text";

export interface CommandSpec {
  readonly name: string;
  /** Other names that run the same command. */
  readonly aliases?: readonly string[];
  /** One line for the table of commands. */
  readonly summary: string;
  /** crash's synopsis, without the name: `[-a | -c cpus] [pid | task]…`. One entry a line. */
  readonly synopsis: readonly string[];
  /** Paragraphs of the help page. */
  readonly description: readonly string[];
  readonly options: readonly OptionSpec[];
  readonly operands?: readonly OperandKind[];
  /** Command lines worth trying, with a word on each. */
  readonly examples?: readonly (readonly [line: string, what: string])[];
  /** Where we differ from crash on purpose. */
  readonly differences?: readonly string[];
  /** Works with --minimal (no task table). */
  readonly minimal?: boolean;
  /** run() disassembles (for some lines only: `x/3i`): the face must have awaited the disassembler before. */
  readonly needsDisassembler?: boolean | ((line: string) => boolean);
  /** run() may unpack files: the face must have awaited the decoder of zstd before. */
  readonly unpacks?: boolean;
  /** Takes gdb's format behind its name, which then begins its line: `p/x jiffies` is `p` with the line "/x jiffies". */
  readonly formats?: boolean;
  /**
   * The command reads its own line: it gets the text after its name in `ParsedArguments.line` and nothing is parsed (`foreach`, `p`,
   * `alias`, `repeat`).
   */
  readonly rawLine?: boolean;
}

export interface Command<Result = unknown> {
  readonly spec: CommandSpec;
  run(session: Session, args: ParsedArguments): Result;
  /** Lines without line ends. */
  text(result: Result, layout: Layout): Iterable<string>;
  /**
   * `--api`: body of a function of the library's `kernel` that returns the same data as run(); see api-code.ts. undefined for forms that
   * the library has no call for: the code then runs the command. Commands that only change the session give a comment.
   */
  api?(session: Session, args: ParsedArguments): string | undefined;
}

/** How text is laid out; everything a projection may depend on beside the result. */
export interface Layout {
  /** Output radix for numbers that crash prints by `set radix`. */
  readonly radix: 10 | 16;
  /** Columns of the screen that it is read on, for prose; absent in files and pipes. */
  readonly columns?: number | undefined;
}

/** Variables of `set` (crash's §1.3 names). */
export interface Settings {
  radix: 10 | 16;
  scroll: boolean;
  silent: boolean;
  printMax: number;
  printArray: boolean;
  zeroExcluded: boolean;
  nullStop: boolean;
  offline: "show" | "hide";
  redzone: boolean;
  hash: number;
  debug: number;
  console: string;
  scope: string;
  /** Directory of the kernel's source; empty when none was named. */
  src: string;
  edit: "vi" | "emacs";
  /** Pager chosen by `set scroll less` or `more`; undefined leaves it to the environment. */
  pager?: string | undefined;
  error: string;
  refresh: boolean;
  gdb: boolean;
  core: boolean;
  unwind: boolean;
}

/** One open dump and what the user has set: commands read and change it, faces own it. */
export interface Session {
  readonly kernel: Kernel;
  readonly settings: Settings;
  /** Address of the task_struct that commands apply to when none is named. */
  context: VirtualAddress;
  readonly registry: CommandRegistry;
  readonly aliases: Map<string, { readonly line: string; readonly origin: "builtin" | "rc" | "runtime" }>;
  /** Runs one command line (no pipes or redirection) and returns its outcome; used by `foreach` and `repeat`. */
  execute(line: string): CommandOutcome;
  /** File names as given on the command line: the dump(s) and, if any, the vmlinux. */
  readonly files: { readonly dump: readonly string[]; readonly namelist: string | undefined };
  /** `--minimal`: only commands marked minimal may run. */
  readonly minimal?: boolean;
  /** Someone sits at a terminal and can press Ctrl-C. */
  readonly interactive?: boolean;
  /** Long work tells how far it is: `session.progress?.("scanning pages", done, total)`. Cheap to call; the face decides what to show. */
  readonly progress?: Progress;
  /** Set by `exit`. */
  finished: boolean;
}

/** @param what present participle, e.g. "scanning pages"; @param total 0 when not known */
export type Progress = (what: string, done: number, total: number) => void;

/** A command that ran: its result and the text projection over it, not yet pulled. */
export interface CommandOutcome {
  readonly command: Command;
  readonly args: readonly string[];
  readonly result: unknown;
  text(layout: Layout): Iterable<string>;
}

export interface CommandRegistry {
  /** By name or alias. */
  find(name: string): Command | undefined;
  /** All commands, sorted by name. */
  all(): readonly Command[];
}

/** Types a command: infers Result for its text(). */
export function defineCommand<Result>(command: Command<Result>): Command<Result> {
  return command;
}
