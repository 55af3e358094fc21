/** `info`: gdb's questions about the program: a symbol at an address, a source line, the current frame and its variables. */
import { UsageError } from "../bytes/errors.ts";
import { symbolInfoApi } from "./api/system.ts";
import { frameInfoApi } from "./api/tasks.ts";
import { type Command, defineCommand, type Session } from "./command.ts";
import { frameInfo, registerInfo, variableInfo } from "./support/info-frame.ts";
import { addressInfo, lineInfo, scopeInfo, symbolInfo } from "./support/info-symbol.ts";
import { nearestNames } from "./support/nearest.ts";

export interface InfoResult {
  readonly topic: string;
  readonly text: readonly string[];
  /** What the text says, for programs; by topic. */
  readonly data: unknown;
}

/** An answer of a topic. */
export type InfoAnswer = Omit<InfoResult, "topic">;

interface Topic {
  readonly name: string;
  readonly help: string;
  readonly answer: (session: Session, operands: string) => InfoAnswer;
}

const TOPICS: readonly Topic[] = [
  { name: "symbol", help: "the symbol that an address lies in", answer: symbolInfo },
  { name: "address", help: "where a symbol lies", answer: addressInfo },
  { name: "line", help: "addresses of a source line: function, *address or file.c:line", answer: lineInfo },
  { name: "scope", help: "variables that code at a place sees: function, *address or file.c:line", answer: scopeInfo },
  { name: "frame", help: "the current frame", answer: frameInfo },
  { name: "registers", help: "registers of the current frame; names choose some", answer: registerInfo },
  { name: "all-registers", help: "the same", answer: registerInfo },
  { name: "args", help: "parameters of the current frame", answer: (session) => variableInfo(session, "parameter") },
  { name: "locals", help: "locals of the current frame", answer: (session) => variableInfo(session, "local") },
];

/** For completion. */
export const INFO_TOPICS: readonly string[] = TOPICS.map(({ name }) => name);

export const info: Command<InfoResult> = defineCommand<InfoResult>({
  spec: {
    name: "info",
    summary: "symbols, source lines, the current frame and its variables, in gdb's words",
    synopsis: TOPICS.map(({ name }) => (["frame", "args", "locals"].includes(name) ? name : `${name} …`)),
    description: [
      "Topics may be shortened as far as they stay different.",
      ...TOPICS.map(({ name, help }) => `${name}: ${help}.`),
      "line, scope, args and locals need a vmlinux (or a module's file) with debug information.",
    ],
    options: [],
    operands: ["symbol"],
    examples: [
      ["info symbol 0xffffffff81a11510", "what lies there"],
      ["info line vfs_read", "where a function is in the source"],
      ["info registers rbx r12", "two registers of the current frame"],
    ],
    rawLine: true,
  },
  run(session, { line }) {
    const [, word = "", operands = ""] = /^(\S+)\s*(.*)$/s.exec(line) ?? [];
    const topic = findTopic(word);
    return { topic: topic.name, ...topic.answer(session, operands.trim()) };
  },
  api(session, args) {
    const { topic, data } = info.run(session, args);
    const { registers = [] } = data as { readonly registers?: readonly { readonly name: string }[] };
    return (
      symbolInfoApi(topic, data as object) ??
      frameInfoApi(
        session,
        topic,
        registers.map(({ name }) => name),
      )
    );
  },
  text: ({ text }) => text,
});

/** Letters that gdb gives to one of several topics. */
const SHORT: Readonly<Record<string, string>> = { s: "symbol", f: "frame", r: "registers", l: "line", a: "args" };

function findTopic(word: string): Topic {
  const names = TOPICS.map(({ name }) => name);
  if (word === "") throw new UsageError(`info what? ${names.join(", ")}`);
  const name = SHORT[word] ?? word;
  const exact = TOPICS.find((each) => each.name === name);
  if (exact !== undefined) return exact;
  const [only, ...more] = TOPICS.filter((each) => each.name.startsWith(name));
  if (only !== undefined && more.length === 0) return only;
  const near = more.length > 0 ? [only as Topic, ...more].map((each) => each.name) : nearestNames(name, names);
  throw new UsageError(`info has no topic "${word}"; ${near.length === 0 ? `topics: ${names.join(", ")}` : `nearest: ${near.join(", ")}`}`);
}
