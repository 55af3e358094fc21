/** Help that belongs to no command: what may be typed at the prompt, and where output may go. */

export interface Topic {
  readonly name: string;
  readonly lines: readonly string[];
}

const INPUT = `\
INPUT
  command [options] [operands]   options are single letters and may be joined: bt -FF, struct -ox
  NAME                           a structure, variable, function or expression alone is shown:
                                 task_struct   jiffies   task_struct.comm ffff888003a4c000
  alias [operands]               see "help alias"; hex and dec switch the output radix
  < file                         runs the commands in the file, one a line; # and // start comments
  command < file                 runs the command once for each line of the file
  command --api                  prints the library code that does the same, for inquest script
  \\command                       a command's name even where an alias has the same one
  !command                       runs a command of the shell; ! alone starts a shell

  Addresses are hexadecimal with or without 0x; a symbol, symbol+offset or (expression) may stand
  for one. Counts and pids are decimal. Symbols of per-CPU variables take a CPU list: runqueues:0,2
  runqueues:a

PROMPT
  h                              lists the history
  !!   r                         repeats the last command
  !N   r N                       repeats command N of the list
  !prefix   r prefix             repeats the last command that starts so
  Tab                            completes commands, options, symbols, types and their members
  Ctrl-C                         interrupts a running command and keeps what it printed
  Ctrl-D                         leaves

START
  Each of ~/.inquestrc and ./.inquestrc is run before the first command; where there is none,
  .crashrc in the same place.`;

const OUTPUT = `\
OUTPUT
  command | shell command        feeds the output to a command of the shell
  command > file                 writes it to a file
  command >> file                appends it

  A | or > within quotes or parentheses, and the one in "->", belongs to the command.

  On a terminal, output longer than the screen goes through a pager: $CRASHPAGER, $PAGER or
  less -E -X. "set scroll off" (or sf) turns it off, "set scroll on" (sn) on.

  Control characters found in the dump are shown as \\xNN. With --json each command gives one line
  of JSON: addresses and raw words are "0x…" strings, quantities are numbers.`;

export const TOPICS: Readonly<Record<string, Topic | undefined>> = Object.assign(Object.create(null) as Record<string, Topic | undefined>, {
  input: { name: "input", lines: INPUT.split("\n") },
  output: { name: "output", lines: OUTPUT.split("\n") },
});
