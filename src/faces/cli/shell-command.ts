/** Lines that are for the system's shell: `!command`, `!` alone, and the programs that crash runs without the `!`. */
import { spawnSync } from "node:child_process";
import type { Session } from "../../commands/command.ts";
import { FileError } from "./sink.ts";

/** Programs of the system that crash runs without the `!`. */
const EXTERNAL = new Set(["vi", "pwd", "grep", "cat", "more", "less", "echo", "ls", "clear"]);

/** The shell command that a line asks for ("" for a shell); undefined when it asks for none. */
export function shellCommand(session: Session, line: string): string | undefined {
  if (line.startsWith("!")) return line.slice(1).trim();
  const first = /^\S+/.exec(line)?.[0] ?? "";
  return EXTERNAL.has(first) && !session.aliases.has(first) && session.registry.find(first) === undefined ? line : undefined;
}

/** `!command`, or a shell of one's own for `!` alone. */
export function shell(command: string): boolean {
  const result =
    command === ""
      ? spawnSync(process.env.SHELL || "/bin/sh", [], { stdio: "inherit" })
      : spawnSync("/bin/sh", ["-c", command], { stdio: "inherit" });
  if (result.error !== undefined) throw new FileError("the shell", result.error);
  return command === "" || result.status === 0;
}
