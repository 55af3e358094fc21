/** `gdb`: the rest of the line is a command; gdb's own names (print, x, ptype, info, …) are commands of Inquest. */
import { LookupError, UsageError } from "../bytes/errors.ts";
import { declare } from "../debug-info/c-format-type.ts";
import { whatisApi } from "./api/values.ts";
import { apiBody } from "./api-code.ts";
import { type CommandOutcome, defineCommand } from "./command.ts";
import { typeOfText } from "./support/type-operand.ts";

export interface GdbResult {
  readonly command: string;
  readonly result: unknown;
}

const outcomes = new WeakMap<GdbResult, CommandOutcome>();
/** What crash hands to gdb with this prefix and what Inquest calls the same; `p` has no symbol before the value there. */
const RENAMED: Readonly<Record<string, string>> = { p: "print" };

export const gdb = defineCommand<GdbResult>({
  spec: {
    name: "gdb",
    summary: "a command in gdb's words",
    synopsis: ["command …"],
    description: [
      "There is no gdb inside. The commands that crash users pass to it are Inquest's own: print, output, x, ptype, whatis, info, frame, up, down. The prefix is accepted and may be left out.",
    ],
    options: [],
    operands: ["command"],
    examples: [["gdb x/4xg &modules", "the same as x/4xg &modules"]],
    rawLine: true,
    needsDisassembler: (line) => /^(x\/-?\d*\w*i|disas)/.test(line),
  },
  run(session, { line }) {
    if (line === "") throw new UsageError("usage: gdb command …");
    const [, word = "", rest = ""] = /^([A-Za-z]+)(.*)$/s.exec(line) ?? [];
    if (word === "gdb") throw new UsageError("gdb gdb: one prefix is enough");
    if (word === "whatis") return { command: "whatis", result: { type: declare(typeOfText(session, rest.trim())) } };
    if (word === "bt" || session.registry.find(RENAMED[word] ?? word) !== undefined) {
      const outcome = session.execute(`${RENAMED[word] ?? word}${rest}`);
      const result: GdbResult = { command: outcome.command.spec.name, result: outcome.result };
      outcomes.set(result, outcome);
      return result;
    }
    throw new LookupError(`there is no gdb inside, and no command "${word === "" ? line : word}" of its`);
  },
  api(session, { line }) {
    const [, word = "", rest = ""] = /^([A-Za-z]+)(.*)$/s.exec(line) ?? [];
    if (word === "whatis") return whatisApi(rest.trim(), { kind: "expression" }, false)?.replace('kind: "expression", ', "");
    const name = RENAMED[word] ?? word;
    const command = session.registry.find(name);
    if (command === undefined) return undefined;
    const code = apiBody(session, command, rest.trim());
    const call = /\bawait\b/.test(code) ? "await (async () => {" : "(() => {";
    return `const result = ${call}\n${code.replace(/^(?=.)/gm, "  ")}\n})();\nreturn { command: ${JSON.stringify(name)}, result };`;
  },
  *text(result, layout) {
    const outcome = outcomes.get(result);
    if (outcome !== undefined) yield* outcome.text(layout);
    else yield `type = ${(result.result as { readonly type: string }).type}`;
  },
});
