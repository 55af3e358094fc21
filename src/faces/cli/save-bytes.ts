/**
 * Writes what a result wants saved (`rd -r file`): commands answer with bytes and a name, and only a face touches files.
 *
 *   result = { …, save: { file: "out.bin", bytes } }
 */
import { writeFileSync } from "node:fs";
import { FileError } from "./sink.ts";

interface Saved {
  readonly file: string;
  readonly bytes: Uint8Array;
}

/** The bytes that a result carries for a file; undefined for nearly all results. */
export function savedBytes(result: unknown): Saved | undefined {
  if (typeof result !== "object" || result === null || !("save" in result)) return undefined;
  const { save } = result;
  if (typeof save !== "object" || save === null || !("file" in save) || !("bytes" in save)) return undefined;
  return typeof save.file === "string" && save.bytes instanceof Uint8Array ? { file: save.file, bytes: save.bytes } : undefined;
}

/** Writes them, replacing the file. Throws FileError. */
export function writeSaved({ file, bytes }: Saved): void {
  try {
    writeFileSync(file, bytes);
  } catch (error) {
    throw new FileError(file, error);
  }
}
