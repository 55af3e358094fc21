import { describe, expect, it } from "vitest";
import { smallKernel } from "../kernel/testing/small-kernel.ts";
import { conclude } from "./conclude.ts";
import type { DiagnosisContext } from "./context.ts";
import type { Finding } from "./finding.ts";
import type { EventFamily } from "./subject/log-events.ts";
import type { Subject } from "./subject/subject.ts";
import type { Check } from "./verdict.ts";

function context(family: EventFamily | undefined): DiagnosisContext {
  const event = family === undefined ? undefined : { family, kind: "panic", text: "it says so", index: 0 };
  const subject = {
    event,
    deliberate: family === "deliberate" ? event : undefined,
    before: [],
    after: [],
    notes: [],
  } as unknown as Subject;
  return { kernel: smallKernel({}), subject, fault: () => ({ subject, reason: "nothing faulted" }) };
}

const check = (result: Check["result"]): Check => ({ what: `a check ${result}`, result });
const finding = (more: Partial<Finding>): Finding => ({
  class: "wild-pointer",
  title: "t",
  checks: [check("held")],
  story: [],
  evidence: [],
  ...more,
});
const verdict = (family: EventFamily | undefined, ...findings: Finding[]) => conclude(context(family), findings);

describe("the verdict over findings", () => {
  it("is the cause behind a symptom, also when the cause is only likely", () => {
    const symptom = finding({});
    const cause = finding({ class: "bit-flip", depth: "cause", checks: [check("held"), check("not possible")] });
    const said = verdict("fault", symptom, cause);
    expect(said.verdict).toMatchObject({ class: "bit-flip", confidence: "likely" });
    expect(said.alternatives).toMatchObject([{ class: "wild-pointer", symptom: true }]);
    expect(said.story).toEqual(["Why only likely: could not be checked: a check not possible."]);
  });

  it("is not a mere possibility where something certain was seen", () => {
    const maybe = finding({ class: "bit-flip", depth: "cause", checks: [check("not possible"), check("not possible")] });
    const said = verdict("fault", finding({}), maybe);
    expect(said.verdict.class).toBe("wild-pointer");
    // A rival, no symptom.
    expect(said.alternatives).toMatchObject([{ class: "bit-flip", confidence: "possible" }]);
    expect(said.alternatives[0]).not.toHaveProperty("symptom");
  });

  it("is never what a check refutes, which is told with the reason", () => {
    const said = verdict("fault", finding({ checks: [check("held"), check("refuted")] }));
    expect(said.verdict).toMatchObject({ class: "unknown", confidence: "unknown" });
    expect(said.alternatives).toMatchObject([{ class: "wild-pointer", refutedBy: "a check refuted" }]);
  });

  it("accuses nobody by a possibility where nothing abnormal was reported", () => {
    const maybe = finding({ class: "deadlock", depth: "cause", checks: [check("not possible"), check("not possible")] });
    const asked = finding({ class: "deliberate" });
    for (const family of ["deliberate", undefined] as const) expect(verdict(family, maybe, asked).verdict.class).toBe("deliberate");
    expect(verdict("deliberate", maybe).verdict.class).toBe("unknown");
    expect(verdict("stall", maybe).verdict.class).toBe("deadlock");
  });

  it("of two that weigh the same is the earlier", () => {
    expect(verdict("fault", finding({ title: "first" }), finding({ title: "second" })).verdict.title).toBe("first");
  });

  it("names one member of a union, and the others beside it; the signature has the one", () => {
    const said = verdict(
      "fault",
      finding({ object: { type: "struct sk_buff", member: "prev|rbnode.rb_right" }, place: { function: "f" } }),
    );
    expect(said.verdict.object).toEqual({ type: "struct sk_buff", member: "prev", sharesPlaceWith: ["rbnode.rb_right"] });
    expect(said.signature.text).toBe("wild-pointer|f|sk_buff.prev");
  });

  it("carries the checks", () => {
    expect(verdict("fault", finding({})).verdict.checks).toEqual([check("held")]);
  });
});
