/** What is answered on the committed dumps against what each guest said of itself before it died. */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Session } from "../../src/commands/command.ts";
import { checkMachine, checkMappings, checkModuleSections, checkSizes, checkStrings } from "../support/guest-processes.ts";
import { checkPanicStack, checkSleepingStacks } from "../support/guest-stacks.ts";
import { ask, checkLog, checkModules, checkMounts, checkSymbols, checkTasks } from "../support/guest-word.ts";
import { openSample, samples } from "./samples.ts";

describe.each(samples.map((sample) => [sample.name, sample] as const))("%s", (_name, sample) => {
  const { truth } = sample;
  let session: Session;
  beforeAll(async () => {
    session = await openSample(sample);
  });
  afterAll(() => session.kernel.dump.close());

  test("tasks", () => checkTasks(session, truth, true));
  test("modules", () => checkModules(session, truth));
  test("symbols", () => checkSymbols(session, truth));
  test("mounts", () => checkMounts(session, truth));
  test("log", () => checkLog(session, truth));
  test("sizes of processes", () => checkSizes(session.kernel, truth));
  test("mappings of processes", () => checkMappings(session.kernel, truth));
  test("arguments are said to be left out", () => checkStrings(session.kernel, truth, true));
  test("version, memory, uptime, load", () => checkMachine(session.kernel, truth));
  test("sections and taints of modules", () => checkModuleSections(session.kernel, truth));
  test("sleeping stacks", () => checkSleepingStacks(session.kernel, truth));
  test("stack of the panic", () => checkPanicStack(session.kernel, sample.consolePath));
  test("who died, and of what", () => {
    const said = truth.panic();
    const { panic, taints, panicTask } = ask<{ panic: string; taints: string; panicTask: { pid: number; comm: string; cpu: number } }>(
      session,
      "sys",
    );
    expect(panic).toContain(said.reason ?? said.headline);
    expect(panicTask).toMatchObject({ pid: said.pid, comm: said.comm, cpu: said.cpu });
    // "Tainted: G           OE     5.10…": G says that no proprietary module is there.
    const console = readFileSync(sample.consolePath, "latin1");
    expect(taints).toBe(/Tainted: ([A-Z ]+?) +\d/.exec(console)?.[1]?.replace(/[G ]/g, ""));
  });
});
