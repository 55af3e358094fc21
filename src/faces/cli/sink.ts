/**
 * Where a command's text goes: the standard output, a file, a shell command, a pager. Text arrives in slices of a command's lines; a
 * sink that has closed (the reader of a pipe left) ends the command quietly.
 */
import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { InquestError } from "../../bytes/errors.ts";
import { writeAll } from "./write-all.ts";

/** A file of the user's, or the standard output, that cannot be read or written. */
export class FileError extends InquestError {
  readonly kind = "file";

  /** @param name what the user calls it; @param error what the system said */
  constructor(name: string, error: unknown) {
    super(`${name}: ${reasonOf(error)}`);
  }
}

export interface Sink {
  /** True once nobody reads any more. */
  readonly closed: boolean;
  /** write() is done when it returns: a command can then run in one piece, which leaves Ctrl-C no gap to fall into. */
  readonly direct?: boolean;
  write(text: string): Promise<void> | void;
  /** Waits for whoever reads to end. False when the reader could not be started. */
  finish(): Promise<boolean> | boolean;
}

/** Output that nobody wants. */
export const nowhere: Sink = { closed: false, write: () => {}, finish: () => true };

/** Writes a line that comes in pieces. */
export async function writeLine(sink: Sink, pieces: Iterable<string>): Promise<void> {
  for (const piece of pieces) await sink.write(piece);
  await sink.write("\n");
}

/** A file descriptor that stays open. */
export class DescriptorSink implements Sink {
  closed = false;
  readonly direct = true;
  readonly #fd: number;

  constructor(fd: number) {
    this.#fd = fd;
  }

  write(text: string): void {
    if (this.closed) return;
    try {
      this.closed = !writeAll(this.#fd, text);
    } catch (error) {
      this.closed = true;
      throw new FileError("standard output", error);
    }
  }

  finish(): boolean {
    return true;
  }
}

export class FileSink implements Sink {
  closed = false;
  readonly direct = true;
  readonly #fd: number;
  readonly #path: string;

  constructor(path: string, mode: "w" | "a") {
    this.#path = path;
    try {
      this.#fd = openSync(path, mode);
    } catch (error) {
      throw new FileError(path, error);
    }
  }

  write(text: string): void {
    try {
      writeAll(this.#fd, text);
    } catch (error) {
      throw new FileError(this.#path, error);
    }
  }

  finish(): boolean {
    closeSync(this.#fd);
    return true;
  }
}

/** Feeds a shell command. Between slices the event loop turns, so a slow reader slows the command instead of filling memory. */
export class ShellSink implements Sink {
  closed = false;
  readonly #input: NodeJS.WritableStream;
  readonly #ended: Promise<boolean>;

  constructor(command: string) {
    const child = spawn("/bin/sh", ["-c", command], { stdio: ["pipe", "inherit", "inherit"] });
    this.#input = child.stdin;
    this.#input.on("error", () => {
      this.closed = true;
    });
    this.#ended = new Promise((resolve) => {
      const end = (ok: boolean) => {
        this.closed = true;
        resolve(ok);
      };
      child.on("error", () => end(false));
      // 126 and 127 are the shell's words for "cannot be run" and "not found"; any other status is the command's own affair.
      child.on("exit", (status) => end(status !== 126 && status !== 127));
    });
  }

  async write(text: string): Promise<void> {
    if (this.closed || this.#input.write(text)) return;
    const drained = new Promise<void>((resolve) => {
      this.#input.once("drain", resolve);
      this.#input.once("error", () => resolve());
    });
    await Promise.race([drained, this.#ended]);
  }

  finish(): Promise<boolean> {
    this.#input.end();
    return this.#ended;
  }
}

/** What the system says about a failed file operation, in words. */
function reasonOf(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code;
  switch (code) {
    case "ENOENT":
      return "no such file or directory";
    case "EACCES":
    case "EPERM":
      return "permission denied";
    case "EISDIR":
      return "is a directory";
    case "ENOSPC":
      return "no space left on the device";
    case "EROFS":
      return "the file system is read-only";
    case "ENOTDIR":
      return "a part of the path is no directory";
    default:
      return code ?? (error instanceof Error ? error.message : String(error));
  }
}
