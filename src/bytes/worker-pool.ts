/**
 * Work on other threads, for the few jobs that take hundreds of milliseconds: node:worker_threads behind three calls. The caller may wait
 * for the result at once (the engine is synchronous) or be told later. A browser build replaces this file; a program that sets no script
 * (tests, someone's own bundle) has no helpers, and does the work itself.
 *
 *   startHelper(job) ──workerData──► serveJob(run) ──port──► { value }      signal: 0 starting, 1 at work, 2 done, 3 failed
 *        └─ wait(): Atomics.wait(signal), receiveMessageOnPort             └─ onDone(): the port's message, when the program is idle
 */
import { availableParallelism, loadavg } from "node:os";
import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker, workerData } from "node:worker_threads";

export interface WorkerSettings {
  /** The compiled script that calls serveJob(). */
  script: URL | undefined;
}

export const workerSettings: WorkerSettings = { script: undefined };

/** More threads than this get little more done. */
const MAX_THREADS = 8;
/** A script that has not begun by then never will. */
const START_MS = 3000;
const STARTING = 0;
const AT_WORK = 1;
const DONE = 2;
const FAILED = 3;

/** Threads that may compute at once, this one included: one for each core that nobody else is busy with. */
export function parallelism(): number {
  const idle = availableParallelism() - Math.round(loadavg()[0] ?? 0);
  return Math.max(1, Math.min(idle, MAX_THREADS));
}

interface JobData {
  readonly job: unknown;
  readonly port: MessagePort;
  readonly signal: Int32Array;
}

/** A thread at work. It does not keep the program from ending. */
export interface Helper {
  /** Blocks until the result is there; undefined when the helper failed or the time is over. Its thread ends. */
  wait(milliseconds: number): unknown;
  /** Calls back with the result when it is there and the program is idle; never when the helper failed, or wait() was called. */
  onDone(callback: (value: unknown) => void): void;
  /** Ends its thread at once: for helpers that hand over what they find through shared memory. */
  end(): void;
}

/** Starts a job on another thread; undefined when there is no script or no thread to be had. */
export function startHelper(job: unknown): Helper | undefined {
  const { script } = workerSettings;
  if (script === undefined) return undefined;
  const { port1: port, port2 } = new MessageChannel();
  const signal = new Int32Array(new SharedArrayBuffer(4));
  const data: JobData = { job, port: port2, signal };
  let worker: Worker;
  try {
    worker = new Worker(script, { workerData: data, transferList: [port2], stdin: false });
  } catch {
    port.close();
    return undefined;
  }
  worker.unref();
  // A script that cannot be loaded, memory that ran out: the work is done without it.
  worker.on("error", () => {
    Atomics.store(signal, 0, FAILED);
  });
  const end = () => {
    port.close();
    void worker.terminate();
  };
  return {
    wait(milliseconds) {
      Atomics.wait(signal, 0, STARTING, Math.min(START_MS, milliseconds));
      Atomics.wait(signal, 0, AT_WORK, milliseconds);
      const message = Atomics.load(signal, 0) === DONE ? receiveMessageOnPort(port) : undefined;
      end();
      return message?.message;
    },
    onDone(callback) {
      port.on("message", (value) => {
        end();
        callback(value);
      });
      port.unref();
    },
    end,
  };
}

/** What a job gives. `transfer`: buffers that need not be copied. */
export interface JobResult {
  readonly value: unknown;
  readonly transfer: readonly ArrayBuffer[];
}

/** What the script of a worker does: runs its job and hands over the result. */
export async function serveJob(run: (job: unknown) => JobResult | Promise<JobResult>): Promise<void> {
  const { job, port, signal } = workerData as JobData;
  Atomics.store(signal, 0, AT_WORK);
  Atomics.notify(signal, 0);
  let state = FAILED;
  try {
    const { value, transfer } = await run(job);
    port.postMessage(value, [...new Set(transfer)]);
    state = DONE;
  } finally {
    Atomics.store(signal, 0, state);
    Atomics.notify(signal, 0);
  }
}
