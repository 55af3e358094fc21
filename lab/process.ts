/**
 * Running other programs: always bounded in time, always in a process group of their own, so that what was started here, and only
 * that, is ended here.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";

export interface RunOptions {
  readonly cwd?: string;
  /** Default: five minutes. */
  readonly timeoutMs?: number;
  readonly env?: Readonly<Record<string, string>>;
  /** A file that standard input is read from. */
  readonly inputFile?: string;
  /** Bytes for standard input. */
  readonly input?: Uint8Array | string;
  /** A file that standard output goes to, instead of `stdout`. */
  readonly outputFile?: string;
  /** Return also when the exit status is not zero. */
  readonly allowFailure?: boolean;
}

export interface RunResult {
  readonly status: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
  readonly timedOut: boolean;
}

/** A program that did not do what was asked: its name, how it ended and the end of what it said. */
export class ProcessError extends Error {
  readonly command: string;
  readonly result: RunResult;

  constructor(command: string, result: RunResult) {
    const how = result.timedOut ? "did not end in time" : `ended with status ${result.status}`;
    const said = `${result.stdout.subarray(-1000).toString()}\n${result.stderr.slice(-1500)}`.trim();
    super(`${command} ${how}: ${said}`);
    this.name = "ProcessError";
    this.command = command;
    this.result = result;
  }
}

const started = new Set<ChildProcess>();
let watchingExit = false;

function endAllStarted(): void {
  for (const child of started) endGroup(child);
}

/** End a process started by {@link startProcess} together with its children. */
export function endGroup(child: ChildProcess): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch {
    child.kill("SIGKILL");
  }
}

/** Start a program in its own process group; it is ended with this process at the latest. */
export function startProcess(
  command: string,
  args: readonly string[],
  stdio: readonly ("pipe" | "ignore" | number)[],
  options: RunOptions = {},
) {
  if (!watchingExit) {
    watchingExit = true;
    process.once("exit", endAllStarted);
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130));
  }
  const child = spawn(command, args, {
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: { ...process.env, LC_ALL: "C.UTF-8", ...options.env },
    stdio: [...stdio],
    detached: true,
  });
  started.add(child);
  child.once("close", () => started.delete(child));
  return child;
}

/** Run a program to its end. */
export async function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const inputFd = options.inputFile === undefined ? undefined : openSync(options.inputFile, "r");
  const outputFd = options.outputFile === undefined ? undefined : openSync(options.outputFile, "w");
  const stdin = inputFd ?? (options.input === undefined ? "ignore" : "pipe");
  try {
    const child = startProcess(command, args, [stdin, outputFd ?? "pipe", "pipe"], options);
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    let timedOut = false;
    child.stdout?.on("data", (chunk: Buffer) => stdout.push(chunk));
    child.stderr?.on("data", (chunk: Buffer) => stderr.push(chunk));
    child.stdin?.on("error", () => {});
    if (options.input !== undefined) child.stdin?.end(options.input);
    const timer = setTimeout(() => {
      timedOut = true;
      endGroup(child);
    }, options.timeoutMs ?? 300_000);
    const status = await new Promise<number | null>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (code) => resolve(code));
    }).finally(() => clearTimeout(timer));
    const result = { status, stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr).toString(), timedOut };
    if ((status !== 0 || timedOut) && !options.allowFailure) throw new ProcessError([command, ...args].join(" ").slice(0, 300), result);
    return result;
  } finally {
    if (inputFd !== undefined) closeSync(inputFd);
    if (outputFd !== undefined) closeSync(outputFd);
  }
}

/** Wait until a condition holds; false when it did not within the time. */
export async function waitUntil(condition: () => boolean, timeoutMs: number, everyMs = 100): Promise<boolean> {
  const end = Date.now() + timeoutMs;
  while (!condition()) {
    if (Date.now() > end) return false;
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
  return true;
}
