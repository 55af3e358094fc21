/**
 * Synchronous writing to a file descriptor until everything is out. process.stdout is not used for output: a process that ends while a
 * pipe is full would lose what is buffered, and a command that runs synchronously could not show its first lines before its last.
 */
import { writeSync } from "node:fs";

const encoder = new TextEncoder();
const clock = new Int32Array(new SharedArrayBuffer(4));

/** Writes the whole text. Returns false when the reader has gone (EPIPE); throws other errors. */
export function writeAll(fd: number, text: string): boolean {
  const bytes = encoder.encode(text);
  let done = 0;
  while (done < bytes.length) {
    try {
      done += writeSync(fd, bytes, done, bytes.length - done);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      if (code === "EPIPE" || code === "ECONNRESET") return false;
      if (code !== "EAGAIN" && code !== "EINTR") throw error;
      // The descriptor is shared with someone who made it non-blocking, and its reader is slow.
      Atomics.wait(clock, 0, 0, 2);
    }
  }
  return true;
}
