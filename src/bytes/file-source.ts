/**
 * A file of the local disk as a ByteSource, through a Node file descriptor. The only file of the engine that opens files; a browser
 * build replaces it by one over FileReaderSync.
 */
import { closeSync, constants, existsSync, fstatSync, openSync, readdirSync, readSync, realpathSync } from "node:fs";
import type { ByteSource } from "./byte-source.ts";
import { FormatError } from "./errors.ts";

const ERRNO_TEXT: Record<string, string> = {
  ENOENT: "no such file",
  EACCES: "permission denied",
  EPERM: "permission denied (the kernel may be locked down)",
  EISDIR: "is a directory",
  ENOTDIR: "a part of the path is not a directory",
  EIO: "input/output error",
  EFAULT: "the kernel cannot read that memory",
};

/** One line for a failed system call: the errno in words, or Node's own message. */
function reason(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return (code === undefined ? undefined : ERRNO_TEXT[code]) ?? message;
}

class FileSource implements ByteSource {
  readonly name: string;
  readonly size: number;
  #descriptor: number;

  constructor(name: string, descriptor: number, size: number) {
    this.name = name;
    this.size = size;
    this.#descriptor = descriptor;
  }

  readInto(target: Uint8Array, offset: number): number {
    let done = 0;
    while (done < target.length) {
      let count: number;
      try {
        count = readSync(this.#descriptor, target, done, target.length - done, offset + done);
      } catch (error) {
        throw new FormatError(this.name, reason(error), offset + done);
      }
      if (count === 0) break;
      done += count;
    }
    return done;
  }

  close(): void {
    if (this.#descriptor < 0) return;
    closeSync(this.#descriptor);
    this.#descriptor = -1;
  }
}

/**
 * Opens a regular file, or a character device such as /proc/kcore, for reading; throws FormatError with the reason when it cannot.
 * Directories, pipes and sockets are refused by name: a dump is read at random offsets.
 * @param wanted what the file should be, for the message
 */
export function openFile(path: string, wanted = "dump"): ByteSource {
  let descriptor: number;
  try {
    // Without O_NONBLOCK the opening of a pipe waits for a writer.
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    throw new FormatError(path, reason(error));
  }
  const status = fstatSync(descriptor);
  const refuse = (what: string): never => {
    closeSync(descriptor);
    throw new FormatError(path, what);
  };
  if (status.isDirectory()) refuse(`is a directory, not a ${wanted}`);
  if (status.isFIFO() || status.isSocket()) refuse(`is a pipe; a ${wanted} must be a file, since it is read at random offsets`);
  return new FileSource(path, descriptor, Math.min(status.size, Number.MAX_SAFE_INTEGER));
}

/** True when there is a file of that name; used to tell `file@address` from a name that contains an @. */
export function fileExists(path: string): boolean {
  return existsSync(path);
}

/**
 * A regular file that is opened anew for each read: for the many small files that one run may touch (modules, split debug files), whose
 * readers keep what they have read. Throws FormatError now when it cannot be opened.
 */
export function openBriefly(path: string): ByteSource {
  const first = openFile(path);
  const { size } = first;
  first.close();
  return {
    name: path,
    size,
    readInto(target, offset) {
      const source = openFile(path);
      try {
        return source.readInto(target, offset);
      } finally {
        source.close();
      }
    },
    close() {},
  };
}

/** A name in a directory. */
export interface DirectoryEntry {
  readonly name: string;
  readonly directory: boolean;
}

/** What is in a directory, in no order; undefined when there is none or it cannot be read. A link to a directory counts as a file. */
export function readDirectory(path: string): readonly DirectoryEntry[] | undefined {
  try {
    return readdirSync(path, { withFileTypes: true }).map((entry) => ({ name: entry.name, directory: entry.isDirectory() }));
  } catch {
    return undefined;
  }
}

/** The path with all links followed: what other files are beside. The path itself when it does not exist. */
export function canonicalPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
