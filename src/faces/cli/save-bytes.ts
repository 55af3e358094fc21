/** Writes what a result wants saved (commands/saved-bytes.ts): `rd -r file`, `gcore`. Only a face touches files. */
import { closeSync, ftruncateSync, openSync, writeSync } from "node:fs";
import type { SavedBytes } from "../../commands/saved-bytes.ts";
import { FileError } from "./sink.ts";

/** What a result carries for a file; undefined for nearly all results. */
export function savedBytes(result: unknown): SavedBytes | undefined {
  if (typeof result !== "object" || result === null || !("save" in result)) return undefined;
  const { save } = result;
  if (typeof save !== "object" || save === null || !("file" in save) || !("chunks" in save)) return undefined;
  return typeof save.file === "string" && typeof save.chunks === "function" ? (save as SavedBytes) : undefined;
}

/** Writes it, replacing the file; what was written before an error or Ctrl-C stays. Throws FileError. */
export function writeSaved({ file, chunks }: SavedBytes): void {
  const output = failing(file, () => openSync(file, "w"));
  try {
    let at = 0;
    for (const chunk of chunks()) {
      if (typeof chunk === "number") at += chunk;
      else at += failing(file, () => writeWhole(output, chunk, at));
    }
    // A hole at the end.
    failing(file, () => ftruncateSync(output, at));
  } finally {
    closeSync(output);
  }
}

function writeWhole(output: number, bytes: Uint8Array, at: number): number {
  let done = 0;
  while (done < bytes.length) done += writeSync(output, bytes, done, bytes.length - done, at + done);
  return done;
}

function failing<T>(file: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw new FileError(file, error);
  }
}
