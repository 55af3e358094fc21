/**
 * Ctrl-C during synchronous work. A signal handler in JavaScript would run only after the work is done; node:vm can end a running
 * script at SIGINT, on the main thread, at a cost of some 50 µs a call.
 */
import { Script } from "node:vm";

/** The user pressed Ctrl-C. */
export class Interrupted extends Error {
  constructor() {
    super("interrupted");
    this.name = "Interrupted";
  }
}

const SLOT = Symbol.for("inquest.interruptible");
const globals = globalThis as unknown as { [SLOT]?: () => unknown };
let script: Script | undefined;

/** The work took longer than it was given. */
export class OutOfTime extends Error {
  constructor(milliseconds: number) {
    super(`not done within ${milliseconds} ms`);
    this.name = "OutOfTime";
  }
}

/**
 * Runs the work; SIGINT ends it at any point with Interrupted, and the clock with OutOfTime. What the work had written to variables outside
 * stays.
 */
export function interruptible<T>(work: () => T, milliseconds?: number): T {
  script ??= new Script('globalThis[Symbol.for("inquest.interruptible")]()', { filename: "interruptible" });
  const outer = globals[SLOT];
  globals[SLOT] = work;
  try {
    const limit = milliseconds === undefined ? {} : { timeout: milliseconds };
    return script.runInThisContext({ breakOnSigint: true, displayErrors: false, ...limit }) as T;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException)?.code;
    if (code === "ERR_SCRIPT_EXECUTION_INTERRUPTED") throw new Interrupted();
    if (code === "ERR_SCRIPT_EXECUTION_TIMEOUT" && milliseconds !== undefined) throw new OutOfTime(milliseconds);
    throw error;
  } finally {
    if (outer === undefined) delete globals[SLOT];
    else globals[SLOT] = outer;
  }
}
