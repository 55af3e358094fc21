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

/**
 * Runs the work; SIGINT ends it at any point with Interrupted. What the work had written to variables outside stays, and no `finally` of its
 * own runs: who goes on with what it worked on must forget what it kept (Kernel.forget).
 */
export function interruptible<T>(work: () => T): T {
  script ??= new Script('globalThis[Symbol.for("inquest.interruptible")]()', { filename: "interruptible" });
  const outer = globals[SLOT];
  globals[SLOT] = work;
  try {
    return script.runInThisContext({ breakOnSigint: true, displayErrors: false }) as T;
  } catch (error) {
    if ((error as NodeJS.ErrnoException)?.code === "ERR_SCRIPT_EXECUTION_INTERRUPTED") throw new Interrupted();
    throw error;
  } finally {
    if (outer === undefined) delete globals[SLOT];
    else globals[SLOT] = outer;
  }
}
