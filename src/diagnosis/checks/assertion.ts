/**
 * BUG() and BUG_ON(), WARN() and WARN_ON() when the kernel panics of it: the line of the source from the table of traps, and the condition
 * with what it compared. Row 36 of the catalogue.
 *
 *   BUG_ON in ring_advance: ring->head (7) != ring->tail (3), drivers/x/ring.c:88
 *
 * What the kernel's generic checks found has detectors of its own (lists, references, slabs, copies from user space): they tell what was
 * wrong with what was checked, this one only that the check failed.
 */
import { hex16 } from "../../bytes/address.ts";
import { stateText } from "../../identity/describe.ts";
import { readLog } from "../../linux/printk.ts";
import type { DiagnosisContext } from "../context.ts";
import type { Detector } from "../detector.ts";
import { objectType } from "../fault/object-type.ts";
import { slabRole } from "../fault/samples.ts";
import { tryIdentify } from "../fault/try-identify.ts";
import { faultEvidence, logCommand, plainName, stateChecks } from "../fault/words.ts";
import type { Finding } from "../finding.ts";
import { guarded } from "../guarded.ts";
import type { Check, Evidence } from "../verdict.ts";
import type { Compared } from "./compared.ts";
import { type Condition, conditionOf } from "./condition.ts";
import { saidBefore } from "./said-before.ts";
import { blamedText, framesOf, placeOf, placeText, type TrapCase, trapCase } from "./trap-case.ts";

export const assertion: Detector = {
  name: "assertion",
  classes: ["bug-assertion", "warning-panic"],
  needs: ["the registers at BUG() or WARN(), below the handler on the stack or in the log"],
  refutedBy: [
    "the trap is no instruction of BUG() or WARN()",
    "the condition does not hold with the values in the dump, and none of them can have changed",
    "the kernel did not panic of the warning",
  ],
  appliesTo: ({ subject }) => {
    const { event } = subject;
    return event === undefined || event.kind === "bug" || event.kind === "warning" || event.family === "fault";
  },
  detect(context) {
    const found = trapCase(context);
    return found === undefined ? [] : [findingOf(context, found)];
  },
};

function findingOf(context: DiagnosisContext, found: TrapCase): Finding {
  const { fault, kind, entry, blame } = found;
  const condition = conditionOf(fault, 0);
  const checks: Check[] = [...stateChecks(fault)];
  checks.push({
    what:
      entry === undefined
        ? "the trap stands in the kernel's table of BUG() and WARN()"
        : `the kernel's table has a ${kind === "bug" ? "BUG()" : "WARN()"} at that instruction`,
    result: entry === undefined ? (context.subject.event === undefined ? "not possible" : "held") : "held",
  });
  if (condition?.holds === true)
    checks.push({ what: `the condition holds with the values in the dump: ${condition.text}`, result: "held" });
  if (kind === "warning") checks.push(panicked(found));
  const frames = framesOf(found);
  const where = placeText(found);
  const what = conditionText(found, condition);
  const object = objectOf(fault, condition, blame.level);
  const words = lastWords(context);
  const inside = blame.level === 0 ? "" : `, checked in ${found.trapped}`;
  return {
    class: kind === "bug" ? "bug-assertion" : "warning-panic",
    title: `${blamedText(found)} ${kind === "bug" ? "meets BUG()" : "warns"}${what === undefined ? "" : `: ${what}`}${inside}${where === undefined ? "" : ` (${where})`}`,
    checks,
    place: placeOf(found, frames),
    frames,
    ...(object === undefined ? {} : { object }),
    story: [...storyOf(found, condition), ...words.map((line) => `Right before it the kernel said: "${line}".`)],
    evidence: [
      ...entryEvidence(found),
      ...conditionEvidence(condition),
      ...faultEvidence(fault),
      ...words.map((line) => ({ claim: `the log says: ${line}`, command: logCommand(line), values: [] })),
    ],
  };
}

function lastWords({ kernel, subject: { event } }: DiagnosisContext): readonly string[] {
  if (event === undefined) return [];
  return guarded(() => saidBefore(readLog(kernel).records, event)?.slice(0, 200))?.split("\n") ?? [];
}

function conditionText({ entry }: TrapCase, condition: Condition | undefined): string | undefined {
  const named = condition !== undefined && (condition.left.named || condition.right?.named === true) ? condition.text : condition?.values;
  if (entry?.condition === undefined) return named;
  const values = [condition?.left, condition?.right].flatMap((each) =>
    each?.shown === undefined || !each.named ? [] : [`${each.text} = ${each.shown}`],
  );
  return values.length === 0 ? entry.condition : `${entry.condition}, with ${values.join(" and ")}`;
}

function storyOf(found: TrapCase, condition: Condition | undefined): string[] {
  const { kind, trapped, blame } = found;
  const where = placeText(found);
  const story = [
    `${kind === "bug" ? "BUG()" : "WARN()"} ${where === undefined ? "" : `at ${where} `}in ${trapped} was reached${condition === undefined ? "" : `, because ${condition.text}`}.`,
  ];
  if (condition !== undefined && condition.holds === false)
    story.push("With what memory holds now that is not so: it was changed since, on the way to the panic or by another CPU.");
  if (condition !== undefined && condition.others > 0 && condition.holds !== true)
    story.push(`${condition.others} other branch${condition.others === 1 ? " leads" : "es lead"} to the same trap.`);
  if (blame.level > 0) story.push(`${trapped} checks what it is given: ${plainName(blame.activation.function)} called it.`);
  if (kind === "warning") story.push("The kernel is set to panic at a warning (panic_on_warn).");
  return story;
}

/** A warning alone stops nothing. */
function panicked({ fault }: TrapCase): Check {
  const handler = (fault.state.stack?.frames ?? []).slice(0, fault.state.frame ?? 0);
  const names = handler.map(({ function: name }) => name ?? "");
  const did =
    names.some((name) => /^v?panic(?:\.|$)/.test(name)) &&
    names.some((name) => /^(?:__warn|check_panic_on_warn|report_bug)(?:\.|$)/.test(name));
  return { what: "the kernel panicked in the handler of the warning", result: did ? "held" : "not possible" };
}

/** The structure whose member was compared. */
function objectOf({ kernel }: TrapCase["fault"], condition: Condition | undefined, level: number): Finding["object"] {
  if (condition === undefined || level > 0) return undefined;
  const best =
    [condition.left, condition.right].find((each): each is Compared => each?.container !== undefined) ??
    [condition.left, condition.right].find((each): each is Compared => each?.base !== undefined);
  if (best === undefined) return undefined;
  const role = best.base === undefined ? undefined : slabRole(tryIdentify(kernel, best.base));
  const typed = best.container === undefined && best.base !== undefined ? objectType(kernel, best.base) : undefined;
  const type = best.container ?? typed?.name;
  return {
    ...(type === undefined ? {} : { type }),
    ...(best.member === undefined ? {} : { member: best.member }),
    ...(best.base === undefined ? {} : { address: best.base }),
    ...(role === undefined ? {} : { state: stateText(role.state), cache: role.cache }),
  };
}

function entryEvidence({ entry, kind, fault, ...found }: TrapCase): Evidence[] {
  if (entry === undefined) return [];
  const where = placeText(found);
  const first = fault.kernel.memory.tryU64(entry.entry);
  return [
    {
      claim: `the table of traps has ${kind === "bug" ? "BUG()" : "WARN()"}${where === undefined ? "" : ` of ${where}`} for ${hex16(fault.state.pc)}`,
      command: `struct bug_entry ${hex16(entry.entry)}`,
      values: first === undefined ? [] : [{ address: entry.entry, value: first }],
    },
  ];
}

function conditionEvidence(condition: Condition | undefined): Evidence[] {
  if (condition === undefined) return [];
  return [
    { claim: `the comparison before it: ${condition.text}`, command: `dis ${hex16(condition.pc)} 2`, values: [] },
    ...[condition.left, condition.right].flatMap((each) => {
      if (each?.address === undefined || each.read === undefined || each.now === undefined) return [];
      const { address, read, text, now } = each;
      // Values are read again with 8 or 4 bytes.
      const values = read === 8 || read === 4 ? [{ address, value: now }] : [];
      const claim = `${hex16(address)}, where ${text} comes from, holds ${now < 0x1_0000n ? now.toString() : `0x${now.toString(16)}`}`;
      return [{ claim, command: `rd ${read === 8 ? "" : `-${read * 8} `}${hex16(address)} 1`, values }];
    }),
  ];
}
