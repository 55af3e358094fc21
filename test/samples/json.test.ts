/**
 * Answers as programs read them. These names are promised: a program written against them must go on working, so each is
 * asked for by name here and on every entry; the transcripts beside hold one small answer of each command whole.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Session } from "../../src/commands/command.ts";
import { outcomeJson } from "../../src/commands/json.ts";
import { openSample, samples } from "./samples.ts";

type Fields = Record<string, unknown>;
type Check = (value: unknown) => boolean;

const isNumber: Check = (value) => typeof value === "number" && Number.isFinite(value);
const isText: Check = (value) => typeof value === "string";
const isFlag: Check = (value) => typeof value === "boolean";
const isAddress: Check = (value) => typeof value === "string" && /^0x[0-9a-f]+$/.test(value);
const orNull =
  (check: Check): Check =>
  (value) =>
    value === null || check(value);

const TASK = { pid: isNumber, comm: isText, address: isAddress, cpu: isNumber };
const PS_ROW = { ...TASK, ppid: isNumber, state: isText, rssKiB: isNumber, vszKiB: isNumber, active: isFlag };
const FRAME = {
  level: isNumber,
  sp: isAddress,
  pc: isAddress,
  function: isText,
  offset: isNumber,
  module: orNull(isText),
  kind: isText,
  certainty: (value: unknown) => value === "exact" || value === "guessed",
};
const SYMBOL = { name: isText, address: isAddress, offset: isNumber, module: orNull(isText) };
const MODULE = { name: isText, address: isAddress, base: isAddress, size: isNumber, taints: isText };
const RECORD = { seconds: isNumber, level: isNumber, text: isText };

/** Names of the fields that are missing or of another kind, with what stands there. */
function broken(value: Fields, shape: Record<string, Check>): string[] {
  return Object.entries(shape).flatMap(([name, check]) => (check(value[name]) ? [] : [`${name}: ${JSON.stringify(value[name])}`]));
}

function allBroken(values: readonly Fields[], shape: Record<string, Check>): string[] {
  return values.flatMap((value) => broken(value, shape)).slice(0, 5);
}

describe.each(samples.map((sample) => [sample.name, sample] as const))("%s", (name, sample) => {
  let session: Session;
  beforeAll(async () => {
    session = await openSample(sample);
  });
  afterAll(() => session.kernel.dump.close());

  function line(command: string): string {
    const outcome = session.execute(command);
    return outcomeJson(outcome.command.spec.name, outcome.args, outcome.result).join("");
  }
  const result = (command: string) => (JSON.parse(line(command)) as { result: Fields }).result;

  test("an answer is one line with its command", () => {
    const text = line("bt -s 2");
    expect(text).not.toContain("\n");
    expect(JSON.parse(text)).toMatchObject({ command: "bt", args: ["-s", "2"], ok: true });
  });

  test("sys", () => {
    const sys = result("sys");
    const shape = {
      release: isText,
      version: isText,
      machine: isText,
      cpus: isNumber,
      uptimeSeconds: isNumber,
      tasks: isNumber,
      panic: isText,
    };
    expect(broken(sys, shape)).toEqual([]);
    expect(broken(sys.panicTask as Fields, TASK)).toEqual([]);
    expect(sys).toMatchObject({ release: sample.release, cpus: 2 });
  });

  test("ps", () => {
    const { tasks } = result("ps") as { tasks: Fields[] };
    expect(allBroken(tasks, PS_ROW)).toEqual([]);
    expect(tasks.length).toBe(result("sys").tasks);
    expect(tasks.filter((task) => task.active).length).toBe(2);
  });

  test.each([["bt"], ["foreach bt"]])("%s", (command) => {
    const { stacks } = result(command) as { stacks: { task: Fields; frames: Fields[]; stop: unknown }[] };
    expect(stacks.length).toBe(command === "bt" ? 1 : result("sys").tasks);
    expect(
      allBroken(
        stacks.map(({ task }) => task),
        TASK,
      ),
    ).toEqual([]);
    expect(
      allBroken(
        stacks.flatMap(({ frames }) => frames),
        FRAME,
      ),
    ).toEqual([]);
    expect(stacks.filter(({ frames, stop }) => frames.length === 0 || !isText(stop))).toEqual([]);
    for (const { frames } of stacks) expect(frames.map((frame) => frame.level)).toEqual(frames.map((_, level) => level));
  });

  test("mod", () => {
    const { modules } = result("mod") as { modules: Fields[] };
    expect(modules.length).toBeGreaterThan(5);
    expect(allBroken(modules, MODULE)).toEqual([]);
  });

  test("log", () => {
    const { records } = result("log") as { records: Fields[] };
    expect(records.length).toBeGreaterThan(100);
    expect(allBroken(records, RECORD)).toEqual([]);
    expect(records.every((record) => record.caller === undefined || /^[CT]\d+$/.test(record.caller as string))).toBe(true);
  });

  test("sym", () => {
    for (const command of ["sym schedule", "sym schedule+0x10", "sym -q vfs_read", "sym -m loop"]) {
      const { symbols } = result(command) as { symbols: Fields[] };
      expect(symbols.length).toBeGreaterThan(0);
      expect(allBroken(symbols, SYMBOL)).toEqual([]);
    }
    expect(result("sym schedule+0x10")).toMatchObject({ symbols: [{ name: "schedule", offset: 16, module: null }] });
  });

  test("whole answers", async () => {
    const log = result("log") as { records: Fields[] };
    const text = [
      ...["sys", "ps 1 2", "foreach kthreadd bt", "mod loop", "sym schedule"].map(
        (command) => [`inquest> ${command}`, result(command)] as const,
      ),
      ["inquest> log (the last record)", log.records.at(-1)] as const,
    ]
      .map(([prompt, value]) => `${prompt}\n${JSON.stringify(value, null, 1)}\n`)
      .join("\n");
    await expect(text).toMatchFileSnapshot(`golden/${name}/json.txt`);
  });
});
