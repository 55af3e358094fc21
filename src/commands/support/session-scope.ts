/** What the names of an expression mean in a session: the kernel's, those of the current frame, earlier results, `$name` variables. */
import type { Memory } from "../../kernel/address-space.ts";
import { evaluateExpression } from "../../kernel/expression/evaluate.ts";
import type { Scope } from "../../kernel/expression/scope.ts";
import { kernelScope } from "../../kernel/expression/scope.ts";
import type { Value } from "../../kernel/value.ts";
import type { Session } from "../command.ts";
import { frameNames } from "./frame-context.ts";
import { valueHistory } from "./value-history.ts";

const convenience = new WeakMap<Session, Map<string, Value>>();

/** Convenience variables of a session, by name with their `$`. */
export function convenienceVariables(session: Session): Map<string, Value> {
  let known = convenience.get(session);
  if (known === undefined) {
    known = new Map();
    convenience.set(session, known);
  }
  return known;
}

/** @param memory that pointers lead into; the kernel's unless told */
export function sessionScope(session: Session, memory?: Memory): Scope {
  return kernelScope(session.kernel, {
    ...(memory === undefined ? {} : { memory }),
    history: valueHistory(session).values,
    frame: frameNames(session),
    convenience: convenienceVariables(session),
  });
}

/** Value of an expression in a session. Throws UsageError (with the column), LookupError or FaultError. */
export function evaluateIn(session: Session, text: string, memory?: Memory): Value {
  return evaluateExpression(text, sessionScope(session, memory));
}
