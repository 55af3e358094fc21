/**
 * Splits an input line into the command and where its output goes or its arguments come from.
 *
 *   ps | grep bash        pipe      "grep bash"           the rest of the line is the shell's, untouched
 *   log > "my file"       write     my file
 *   bt -a >> all.txt      append    all.txt
 *   rd < addresses        operands  addresses             the command once for each line
 *   < script              script    script                no command before the "<"
 *
 * Quotes and parentheses protect, "->" is C's and "=>" JavaScript's. A number behind the operator is taken for the rest of an expression (`p 3 > 2`), which
 * must not end in a file named "2" without a word: it is refused unless it is quoted.
 */
import { UsageError } from "../../bytes/errors.ts";

export type Redirection =
  | { readonly kind: "none" }
  | { readonly kind: "pipe"; readonly shell: string }
  | { readonly kind: "write" | "append" | "operands" | "script"; readonly file: string };

export interface InputLine {
  readonly command: string;
  readonly redirection: Redirection;
}

/** Throws UsageError when the target is missing. */
export function splitRedirection(line: string): InputLine {
  const at = operatorAt(line);
  if (at < 0) return { command: line.trim(), redirection: { kind: "none" } };
  const command = line.slice(0, at).trim();
  const operator = line[at] as string;
  if (operator === "|") {
    const shell = line.slice(at + 1).trim();
    if (shell === "") throw new UsageError("a shell command is missing after |");
    if (command === "") throw new UsageError("a command is missing before |");
    refuseNumber(operator, shell);
    return { command, redirection: { kind: "pipe", shell } };
  }
  const appends = line.startsWith(">>", at);
  const target = line.slice(at + (appends ? 2 : 1)).trim();
  const file = unquote(target);
  if (file === "") throw new UsageError(`a file name is missing after ${appends ? ">>" : operator}`);
  if (command !== "") refuseNumber(appends ? ">>" : operator, target);
  if (operator === "<") return { command, redirection: { kind: command === "" ? "script" : "operands", file } };
  if (command === "") throw new UsageError(`a command is missing before ${appends ? ">>" : ">"}`);
  return { command, redirection: { kind: appends ? "append" : "write", file } };
}

/** 2, 0x10ul, "= 3" (of >=), 0 ? a : b. */
const OPERAND = /^(=|[-+~!]?\s*(0x[0-9a-f]+|\d+)[ul]*(\s*[*%&|^<>?:=)].*|\s+[-+/].*)?$)/i;

function refuseNumber(operator: string, target: string): void {
  if (!OPERAND.test(target)) return;
  const what = operator === "|" ? "program" : "file";
  throw new UsageError(
    `"${operator} ${target}" names no ${what}: C's ${operator} goes into parentheses, as in p (a ${operator} b), and a name like this into quotes`,
  );
}

/** Position of the first unprotected | < or >; -1 when there is none. */
function operatorAt(line: string): number {
  let depth = 0;
  let quote: string | undefined;
  for (let at = 0; at < line.length; at++) {
    const char = line[at] as string;
    if (quote !== undefined) {
      if (char === quote) quote = undefined;
    } else if ((char === "'" || char === '"') && line.includes(char, at + 1)) {
      quote = char;
    } else if (char === "(") {
      depth++;
    } else if (char === ")") {
      depth = Math.max(0, depth - 1);
    } else if (depth === 0 && (line.startsWith("<<", at) || line.startsWith("||", at))) {
      // A shift or a C "or" (p 1<<4): no shell word begins so here.
      at++;
    } else if (depth === 0 && (char === "|" || char === "<" || (char === ">" && !"-=".includes(line[at - 1] ?? " ")))) {
      return at;
    }
  }
  return -1;
}

function unquote(text: string): string {
  const found = /^(['"])(.*)\1$/.exec(text);
  return found === null ? text : (found[2] as string);
}
