/** An operand that names a type or is an expression: `struct page *`, `pid_t`, `init_task.mm`, `typeof(jiffies)`. */
import { UsageError } from "../../bytes/errors.ts";
import { BASE_WORDS } from "../../debug-info/c-base-types.ts";
import { type CType, strip } from "../../debug-info/c-type.ts";
import type { Session } from "../command.ts";
import { evaluateIn } from "./session-scope.ts";

/** Type of the text. Throws UsageError (with the column) or LookupError (with near names). */
export function typeOfText(session: Session, text: string): CType {
  const { kernel } = session;
  const first = /^[A-Za-z_$][\w$]*/.exec(text)?.[0] ?? "";
  const inner = /^(?:__)?typeof(?:__)?\s*\((.*)\)$/s.exec(text)?.[1];
  if (inner !== undefined) return typeOfText(session, inner.trim());
  if (["struct", "union", "enum", "const", "volatile"].includes(first) || BASE_WORDS.has(first)) return spelled(session, text);
  const symbol = kernel.symbols.byName(first);
  if (symbol === undefined && kernel.types.find("typedef", first) !== undefined && /^[\w$]+[\s*]*$/.test(text))
    return spelled(session, text);
  if (symbol === undefined && text === first && kernel.types.enumerator(first) === undefined) {
    // A tag without its keyword, as crash's whatis takes it.
    for (const key of ["struct", "union", "enum", "base"] as const) {
      const type = kernel.types.find(key, first);
      if (type !== undefined) return type;
    }
  }
  const { type, address } = evaluateIn(session, `(${text})`);
  if (strip(type).kind === "void" && address !== undefined) throw new UsageError(`the type of "${text}" is not known without a vmlinux`);
  return type;
}

function spelled(session: Session, text: string): CType {
  const type = session.kernel.types.type(text);
  const plain = strip(type);
  // `struct nosuch` is a type in C, and nothing to show.
  if (plain.kind !== "forward") return type;
  if (session.kernel.types.lack !== undefined) throw session.kernel.types.lack;
  if (plain.of === "enum") throw new UsageError(`enum ${plain.name} has no definition in this dump`);
  session.kernel.types.struct(plain.name);
  return type;
}
