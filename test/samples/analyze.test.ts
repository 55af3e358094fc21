/** `inquest analyze` on the committed samples, as the face runs it: one dump, several, text and JSON, and the line under the banner. */
import { describe, expect, it } from "vitest";
import { loadDisassembler } from "../../src/arch/disassembler.ts";
import { UsageError } from "../../src/bytes/errors.ts";
import type { Diagnosis } from "../../src/diagnosis/verdict.ts";
import { analyze, parseAnalyzeOptions } from "../../src/faces/cli/analyze.ts";
import { registerDisassemblers } from "../../src/faces/cli/disassemblers.ts";
import { verdictLine } from "../../src/faces/cli/verdict-line.ts";
import { openKernel } from "../../src/kernel/open.ts";

const NULL_POINTER = "samples/x86-64-null-pointer/vmcore";
const ARM = "samples/arm64-null-pointer/vmcore";
const HUNG = "samples/x86-64-hung-tasks/vmcore";

async function said(...words: string[]): Promise<{ text: string; known: boolean }> {
  let text = "";
  const known = await analyze(parseAnalyzeOptions([...words, "--no-debug-info"]), (part) => {
    text += part;
    return true;
  });
  return { text, known };
}

describe("inquest analyze", () => {
  it("gives one dump's diagnosis as one line of JSON", async () => {
    const { text, known } = await said(NULL_POINTER, "--json");
    expect(known).toBe(true);
    expect(text.trimEnd().split("\n")).toHaveLength(1);
    const { verdict, evidence, signature } = JSON.parse(text) as Diagnosis;
    expect(verdict).toMatchObject({
      class: "null-pointer-dereference",
      function: "lab_fault_map_segment",
      module: "lab_fault",
      confidence: "high",
    });
    expect(evidence.length).toBeGreaterThan(1);
    expect(signature.hash).toMatch(/^[0-9a-f]{12}$/);
  });

  it("compares several, the likest first", async () => {
    const { text } = await said(NULL_POINTER, HUNG, ARM, "--json");
    const { dumps, comparisons } = JSON.parse(text) as { dumps: { file: string }[]; comparisons: { relation: string }[] };
    expect(dumps.map(({ file }) => file)).toEqual([NULL_POINTER, ARM, HUNG]);
    expect(comparisons.map(({ relation }) => relation)).toEqual(["likely the same", "different"]);
  });

  it("shows in full with --verbose", async () => {
    const short = await said(HUNG);
    const long = await said(HUNG, "--verbose");
    expect(short.text).toMatch(/^Deadlock: /);
    expect(short.text).not.toContain("Checks that could have refuted it");
    expect(long.text).toContain("Checks that could have refuted it");
  });

  it("refuses what it does not understand", () => {
    expect(() => parseAnalyzeOptions(["--deep", HUNG])).toThrow(UsageError);
    expect(() => parseAnalyzeOptions([])).toThrow(/dump's file is missing/);
    expect(() => parseAnalyzeOptions([HUNG, "--debug-dir"])).toThrow(/wants a directory/);
    expect(parseAnalyzeOptions(["-v", "--debug-dir", "d", HUNG])).toMatchObject({ verbose: true, debugDirectories: ["d"], files: [HUNG] });
  });
});

describe("the verdict under the banner", () => {
  it("is one line, or says that it takes longer than anyone should wait; the answer later is none the worse for that", async () => {
    registerDisassemblers();
    await Promise.all([loadDisassembler("x86_64"), loadDisassembler("aarch64")]);
    for (const [dump, said] of [
      [HUNG, /^ {5}VERDICT: Deadlock: lab-ab \(118\), lab-ba \(119\) .* \(high; see "analyze"\)$/],
      [NULL_POINTER, /^ {5}VERDICT: NULL pointer dereference: .* \(high; see "analyze"\)$/],
      [ARM, /^ {5}VERDICT: NULL pointer dereference: .* \(high; see "analyze"\)$/],
    ] as const) {
      const kernel = await openKernel([dump]);
      expect(verdictLine(kernel, undefined, 0)).toBe('     VERDICT: takes a moment: "analyze" works it out');
      for (const milliseconds of [3, 7, 13, 29, 53]) {
        verdictLine(kernel, undefined, milliseconds);
      }
      expect(verdictLine(kernel, undefined, 60_000)).toMatch(said);
      kernel.dump.close();
    }
  });
});
