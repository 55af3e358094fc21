/**
 * `repeat`: a command again and again, with a pause between. A dump does not change, so this is for watching a command of one's own
 * (extend, js) or for crash's scripts: without `-n` it ends with Ctrl-C at the prompt, and runs once where nobody could press that.
 */
import { UsageError } from "../bytes/errors.ts";
import { type CommandOutcome, defineCommand, type Layout } from "./command.ts";
import { resolveLine, runResolved } from "./run-line.ts";

export interface RepeatResult {
  /** Lazy: each run happens when it is asked for; never ends when `times` is absent. */
  readonly runs: Iterable<CommandOutcome>;
  readonly times?: number;
  /** JSON is drained to its end: one run. */
  toJSON(): unknown;
}

/** A pause is cut up, so that Ctrl-C is obeyed at once. */
const SLICE_MS = 50;
const MAX_SECONDS = 86_400;

export const repeat = defineCommand<RepeatResult>({
  spec: {
    name: "repeat",
    summary: "run a command again and again",
    synopsis: ["[-seconds] [-n times] command [arguments]"],
    description: [
      "Runs a command repeatedly, with a pause of so many seconds (one, if none are given). At the prompt Ctrl-C ends it; from a file, a pipe or -c, where nobody could press that, it runs once unless -n says how often.",
      "A dump does not change: this keeps scripts written for crash working, and watches commands of your own.",
    ],
    options: [
      { flag: "-n", argument: "times", help: "end after so many runs" },
      { flag: "-1", help: "seconds between two runs: any number" },
    ],
    operands: ["command"],
    examples: [["repeat -2 -n 3 sys", "three times, two seconds apart"]],
    differences: ["Without a terminal and without -n it runs once; crash never ends."],
    rawLine: true,
    needsDisassembler: true,
  },
  run(session, { line }) {
    const { seconds, times, command } = parse(line);
    const resolved = resolveLine(session, command);
    if (resolved.command === (repeat as unknown)) throw new UsageError("repeat: it does not repeat itself");
    // The first run's error is the command's own.
    const first = runResolved(session, resolved);
    const count = times ?? (session.interactive === true ? undefined : 1);
    const runs = function* () {
      yield first;
      for (let done = 1; count === undefined || done < count; done++) {
        pause(seconds);
        yield runResolved(session, resolved);
      }
    };
    return { runs: { [Symbol.iterator]: runs }, ...(count === undefined ? {} : { times: count }), toJSON: () => first.result };
  },
  *text({ runs }, layout: Layout) {
    for (const outcome of runs) yield* outcome.text(layout);
  },
});

function parse(line: string): { seconds: number; times: number | undefined; command: string } {
  let rest = line.trim();
  let seconds = 1;
  let times: number | undefined;
  for (;;) {
    const pauseOf = /^-(\d+(?:\.\d+)?)(?:\s+|$)/.exec(rest);
    const timesOf = /^-n\s*(\d+)(?:\s+|$)/.exec(rest);
    if (pauseOf !== null) seconds = Number(pauseOf[1]);
    else if (timesOf !== null) times = Number(timesOf[1]);
    else break;
    rest = rest.slice((pauseOf ?? timesOf)?.[0].length);
  }
  if (rest === "" || rest.startsWith("-")) throw new UsageError("usage: repeat [-seconds] [-n times] command [arguments]");
  if (seconds > MAX_SECONDS) throw new UsageError(`repeat: a pause of ${seconds} seconds: at most ${MAX_SECONDS} are possible`);
  if (times === 0) throw new UsageError("repeat: -n 0 runs nothing");
  return { seconds, times, command: rest };
}

function pause(seconds: number): void {
  const lock = new Int32Array(new SharedArrayBuffer(4));
  const until = Date.now() + seconds * 1000;
  for (let left = seconds * 1000; left > 0; left = until - Date.now()) Atomics.wait(lock, 0, 0, Math.min(SLICE_MS, left));
}
