/** Input lines: what stands before one at the prompt, and those of command files and start-up files. */
import { readFileSync } from "node:fs";
import { FileError } from "./sink.ts";

/** What stands before an input line. */
export const prompt = "inquest> ";

/** A line that says something to people only. */
export function isComment(line: string): boolean {
  return line.startsWith("#") || line.startsWith("//");
}

/** Lines of a file. Throws FileError. */
export function readLines(path: string): string[] {
  try {
    return readFileSync(path, "utf8").split(/\r?\n/);
  } catch (error) {
    throw new FileError(path, error);
  }
}
