/**
 * A poisoned link in the story of a fault: the slice follows the poison back to a load whose place is lost, as the loop went on from the
 * entry. What still leads to such an entry (poisoned-entry.ts) gives the place back, and the step that was missing.
 */

import { poisonOf } from "../../linux/poison.ts";
import { membersAt, pathsOf } from "../../type-flow/member-path.ts";
import type { Origin } from "../../type-flow/origin.ts";
import { activationText } from "./access-text.ts";
import type { Activation } from "./activation.ts";
import type { AccessPath, BadValue, Parts } from "./fault-case.ts";
import { type LoadStep, loadText, type OriginStep } from "./origin-step.ts";
import { poisonedEntry } from "./poisoned-entry.ts";
import { sourceOf } from "./source-of.ts";

/** A poisoned link whose entry the slice lost: found by what still points at it. */
export function withEntry({ kernel, subject, state, activations, values }: Parts, bad: BadValue, path: AccessPath | undefined): BadValue {
  const poison = poisonOf(bad.value);
  const { origin } = bad;
  if (poison?.name.startsWith("LIST_POISON") !== true || origin === undefined || sourceOf({ bad })?.address !== undefined) return bad;
  const back = BigInt(-poison.offset);
  if (back < 0n) return bad;
  const at = activations.at(bad.level) as Activation;
  const from = bad.register === undefined ? undefined : at.flow?.originOf(at.pc, bad.register);
  const others = from === undefined ? [] : waysOf(from).flatMap((way) => values.of(bad.level, way)?.value ?? []);
  const words = [...at.registers.values(), ...others];
  const entry = poisonedEntry(kernel, { poison: poison.value, offset: back, sp: state.registers.sp, words, cpu: subject.cpu });
  if (entry === undefined) return bad;
  const last = origin.steps.findLast(({ kind }) => kind === "load" || kind === "merge") ?? origin.steps.at(-1);
  const steps = origin.steps.filter((each) => each !== last);
  const container = path?.container ?? origin.steps.find(({ load }) => load?.container !== undefined)?.load?.container;
  const type = container === undefined ? undefined : kernel.types.find("struct", container.replace(/^struct /, ""), { modules: true });
  const members = type === undefined ? [] : membersAt({ kind: "pointer", target: type, offset: Number(back), stride: 0 }, 8);
  const load: LoadStep = {
    ...(members.length === 0 || container === undefined ? {} : { container, member: pathsOf(members) }),
    offset: back,
    base: entry.base,
    address: entry.address,
    size: 8,
    now: poison.value,
    comparison: "same",
  };
  const level = last?.level ?? 0;
  const text = loadText(load);
  const step: OriginStep = { kind: "load", level, function: at.function, place: activationText(at), value: poison.value, text, load };
  return { ...bad, origin: { ...origin, steps: [...steps, step], end: "load" } };
}

/** The values that meet in one, and what they are sums of. */
function waysOf(origin: Origin, depth = 0): readonly Origin[] {
  if (depth > 4) return [];
  if (origin.kind === "merge") return origin.of.flatMap((each) => waysOf(each, depth + 1));
  return origin.kind === "sum" && origin.from !== undefined ? [origin, ...waysOf(origin.from, depth + 1)] : [origin];
}
