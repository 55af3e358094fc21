/**
 * Names of processes, functions and modules, and the lines of the log, are written by whoever caused the crash. Here a dump's memory and a
 * log have their names replaced by what a terminal would obey: escape sequences, line ends, marks that reorder text, broken UTF-8.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { loadDisassembler } from "../../src/arch/disassembler.ts";
import { jsonChunks } from "../../src/commands/json.ts";
import { createSession } from "../../src/commands/session.ts";
import { compareDiagnoses } from "../../src/diagnosis/compare.ts";
import { diagnose } from "../../src/diagnosis/diagnose.ts";
import { openDump } from "../../src/dump/open.ts";
import { writeJson, writeText } from "../../src/faces/cli/analyze.ts";
import { registerDisassemblers } from "../../src/faces/cli/disassemblers.ts";
import { explain } from "../../src/faces/cli/explain.ts";
import { Runner } from "../../src/faces/cli/runner.ts";
import { verdictLine } from "../../src/faces/cli/verdict-line.ts";
import { openKernelOf } from "../../src/kernel/open.ts";
import { overlay } from "../hostile/mutation.ts";

/** What a terminal obeys, LF and TAB left out: those the tool writes itself. */
const OBEYED = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/;
const FORGED = "FORGED";
/** Each as long as what it stands for. The rest of a name is kept where it is needed to find the fault. */
const REPLACED: readonly (readonly [string, Buffer])[] = [
  ["lab_fault_submit", Buffer.from(`\x1b[2J\nFORGED\x9b\u202e`, "utf8")],
  ["lab_fault_map_segment", Buffer.from("\x1b]0;x\x07\nFORGED: \xe2\x80\xae", "latin1")],
  ["lab_segment", Buffer.from("\nFORGED\xff\xfe\x9b\r", "latin1")],
];

function replaced(bytes: Uint8Array): number {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let count = 0;
  for (const [name, by] of REPLACED) {
    const hostile = Buffer.alloc(name.length, "~");
    by.copy(hostile, 0, 0, name.length);
    for (let at = buffer.indexOf(name); at >= 0; at = buffer.indexOf(name, at + 1)) {
      hostile.copy(buffer, at);
      count++;
    }
  }
  return count;
}

/** No line that the hostile names would have written, and nothing that a terminal obeys. */
function judge(text: string, told = true): void {
  expect(OBEYED.exec(text)).toBeNull();
  if (told) expect(text).toContain(FORGED);
  for (const line of text.split("\n")) expect(line.startsWith(FORGED)).toBe(false);
}

function judgeJson(text: string): void {
  expect(OBEYED.exec(text)).toBeNull();
  expect(text.trimEnd()).not.toContain("\n");
  expect(JSON.stringify(JSON.parse(text))).toContain(FORGED);
}

describe.each(["x86-64-null-pointer", "arm64-null-pointer"])("%s with hostile names", async (sample) => {
  registerDisassemblers();
  const base = await openDump([`samples/${sample}/vmcore`]);
  let count = 0;
  const dump = {
    ...overlay(base),
    readPage: (pfn: number, target: Uint8Array) => {
      const fault = base.readPage(pfn, target);
      if (fault === undefined) count += replaced(target);
      return fault;
    },
  };
  const kernel = openKernelOf(dump);
  await loadDisassembler(kernel.arch.name);

  test.each(["analyze", "analyze -v", "log", "bt", "ps", "mod", "sym -m lab_fault"])("%s", async (line) => {
    for (const json of [false, true]) {
      let text = "";
      const errors = (more: string): void => {
        text += more;
      };
      const output = () => ({ closed: false, direct: true, write: errors, finish: () => true });
      await new Runner(createSession(kernel), { json, interactive: false, echo: false, output, errors }).line(line);
      expect(OBEYED.exec(text)).toBeNull();
      if (json) JSON.parse(text);
      else if (line.startsWith("analyze")) judge(text);
    }
    expect(count).toBeGreaterThan(3);
  });

  test("inquest analyze of one dump and of two, and the line under the banner", () => {
    const named = { file: "a\n\x1b[2Jb", diagnosis: diagnose(kernel) };
    const comparison = compareDiagnoses(named.diagnosis, named.diagnosis);
    let text = "";
    const write = (more: string): boolean => {
      text += more;
      return true;
    };
    writeText([named], [], true, write);
    writeText([named, named], [comparison], true, write);
    judge(text);
    for (const [dumps, comparisons] of [
      [[named], []],
      [[named, named], [comparison]],
    ] as const) {
      text = "";
      writeJson(dumps, comparisons, write);
      judgeJson(text);
    }
    expect(verdictLine(kernel, undefined, 60_000)).not.toContain("\n");
    judgeJson([...jsonChunks(named.diagnosis)].join(""));
  });
});

describe("explain of a log with hostile names", () => {
  const directory = mkdtempSync(join(tmpdir(), "inquest-untrusted-"));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  test.each(["x86-64-null-pointer", "arm64-null-pointer", "x86-64-hung-tasks"])("%s", async (sample) => {
    const bytes = readFileSync(`samples/${sample}/console.log.txt`);
    replaced(bytes);
    // Names of tasks, in the words of the report.
    const text = bytes
      .toString("latin1")
      .replace(/Comm: \w+/g, "Comm: a\x1b[1m\x9bb")
      .replace(/task lab-/g, "task \x1b]0;\xe2\x80\xae");
    const file = join(directory, `${sample}\x1b[2J.log`);
    writeFileSync(file, Buffer.from(text, "latin1"));
    for (const json of [false, true]) {
      let said = "";
      const write = (more: string): boolean => {
        said += more;
        return true;
      };
      await explain({ files: [file, file], json, verbose: true, vmlinux: [], modules: [] }, write);
      expect(said).not.toBe("");
      expect(OBEYED.exec(said)).toBeNull();
      if (json) for (const line of said.trimEnd().split("\n")) JSON.parse(line);
    }
  });
});
