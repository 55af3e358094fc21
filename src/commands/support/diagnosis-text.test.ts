import { describe, expect, it } from "vitest";
import { signatureOf } from "../../diagnosis/signature.ts";
import type { Diagnosis, VerdictFrame } from "../../diagnosis/verdict.ts";
import { diagnosisLines } from "./diagnosis-text.ts";

function diagnosis(more: Partial<Diagnosis> = {}): Diagnosis {
  return {
    verdict: { class: "deadlock", title: "2 tasks wait for each other", confidence: "high" },
    subject: { event: "" },
    story: ["a sentence ".repeat(20).trim()],
    evidence: [],
    alternatives: [],
    signature: signatureOf("deadlock", ["f"]),
    frames: [],
    context: { notes: [] },
    ...more,
  };
}

const lines = (more?: Partial<Diagnosis>, verbose = false) => [...diagnosisLines(diagnosis(more), { verbose })];

describe("a diagnosis as text", () => {
  it("begins with the verdict and ends with the signature", () => {
    const text = lines();
    expect(text[0]).toBe("Deadlock: 2 tasks wait for each other    confidence: high");
    expect(text.at(-1)).toMatch(/^ {2}Signature {2}deadlock\|f {3}[0-9a-f]{12}$/);
    expect(Math.max(...text.map(({ length }) => length))).toBeLessThanOrEqual(118);
  });

  it("is broken for the screen that it is read on; in a file the verdict is one line", () => {
    const verdict = { class: "deadlock" as const, title: "a task waits ".repeat(12).trim(), confidence: "high" as const };
    const narrow = [...diagnosisLines(diagnosis({ verdict }), { verbose: false, columns: 80 })].filter(
      (line) => !line.includes("Signature"),
    );
    expect(Math.max(...narrow.map(({ length }) => length))).toBeLessThan(80);
    expect(narrow).toContain("    confidence: high");
    expect(lines({ verdict })[0]).toMatch(/^Deadlock: .{155} {4}confidence: high$/);
  });

  it("rules out only what a check refuted: a doubt leaves a hypothesis standing", () => {
    const alternatives = [
      { class: "type-confusion" as const, title: "smaller", confidence: "possible" as const, refutedBy: "a text does not tell it" },
      { class: "use-after-free" as const, title: "freed", confidence: "unknown" as const, refutedBy: "it is allocated" },
    ];
    const text = lines({ alternatives });
    expect(text).toContain("     object taken for another type (possible): smaller (against it: a text does not tell it)");
    expect(text).toContain("     use after free: refuted: it is allocated");
  });

  it("shows no object of which nothing is known", () => {
    const verdict = { class: "null-pointer-dereference" as const, title: "f", confidence: "high" as const, object: { address: 0n } };
    expect(lines({ verdict }).some((line) => line.includes("Object"))).toBe(false);
  });

  it("does not say the class twice when the title begins with it", () => {
    expect(lines({ verdict: { class: "soft-lockup", title: "soft lockup: f spins", confidence: "likely" } })[0]).toBe(
      "Soft lockup: f spins    confidence: likely",
    );
  });

  it("marks the guilty frame, and leaves out the machinery far in front of it", () => {
    const frames: VerdictFrame[] = Array.from({ length: 20 }, (_, i) => ({
      function: `f${i}`,
      offset: i,
      ...(i === 8 ? { guilty: true } : {}),
    }));
    const text = lines({ frames });
    expect(text).toContain("  >  f8+0x8");
    expect(text).toContain("     f7+0x7");
    expect(text).not.toContain("     f6+0x6");
    expect(text).toContain("     (10 more: bt)");
    expect(lines({ frames }, true)).toContain("     f0+0x0");
  });

  it("puts the command beside a short claim and below a long one", () => {
    const long = "x ".repeat(50).trim();
    const text = lines({
      evidence: [
        { claim: "it holds 0", command: "rd ffff888000000000 1", values: [] },
        { claim: long, command: "bt -e 1", values: [] },
      ],
    });
    expect(text).toContain("    1 it holds 0   rd ffff888000000000 1");
    expect(text).toContain("          bt -e 1");
  });

  it("does not part a number from its unit", () => {
    for (let fill = 90; fill < 120; fill++) {
      const text = lines({ story: [`${"x".repeat(fill)} blocked for 28 s by it`] });
      expect(text.some((line) => /28$/.test(line))).toBe(false);
    }
  });

  it("leaves out who the story names, and puts the circle first and counts who is left out", () => {
    const participants = Array.from({ length: 12 }, (_, i) => ({
      comm: `t${i}`,
      pid: i,
      role: "waits behind",
      ...(i === 11 ? { central: true as const, blockedFor: 6.6 } : {}),
    }));
    const text = lines({ verdict: { class: "deadlock", title: "t", confidence: "high", participants }, story: ["t0 sleeps"] });
    expect(text.some((line) => line.includes("t0 (0)"))).toBe(false);
    expect(text.findIndex((line) => line.includes("t11 (11) waits behind   blocked for 7 s"))).toBeLessThan(
      text.findIndex((line) => line.includes("t1 (1)")),
    );
    expect(text).toContain("  (3 more: lock)");
  });

  it("tells what was ruled out and by what", () => {
    const text = lines({
      alternatives: [
        { class: "use-after-free", title: "f reads", confidence: "unknown", refutedBy: "the object is allocated" },
        { class: "wild-pointer", title: "g reads", confidence: "possible" },
      ],
    });
    expect(text).toContain("     use after free: refuted: the object is allocated");
    expect(text).toContain("     access to a wrong address (possible): g reads");
  });
});
