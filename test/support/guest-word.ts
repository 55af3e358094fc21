/**
 * What the commands answer against what the guest said of itself before it died: tasks, modules, symbols, mounts, log. Used on the
 * committed samples and on the lab's cases.
 */
import { expect } from "vitest";
import type { Truth } from "../../lab/truth.ts";
import { virtual } from "../../src/bytes/address.ts";
import type { Session } from "../../src/commands/command.ts";
import { jsonChunks } from "../../src/commands/json.ts";
import { mountTable } from "../../src/linux/mount.ts";
import { taskTable } from "../../src/linux/task.ts";

interface PsRow {
  readonly pid: number;
  readonly ppid: number;
  readonly address: string;
  readonly comm: string;
}

/** The answer of a command as a program reads it. */
export function ask<Result>(session: Session, line: string): Result {
  return JSON.parse(jsonChunks(session.execute(line).result).join("")) as Result;
}

/** Boot time of a task in seconds: what began after the guest's word was taken is not in it. */
function startedAt(session: Session, address: string): number {
  const field = session.kernel.types.struct("task_struct").firstField("start_boottime", "real_start_time");
  return field === undefined ? 0 : field.number(virtual(BigInt(address))) / 1e9;
}

/** Workers are renamed as they change their work; the kernel shows the work behind the name in /proc and not in the task. */
function plainComm(comm: string): string {
  return comm.startsWith("kworker/") ? comm.replace(/[-+].*$/, "") : comm.slice(0, 15);
}

/** @param all the guest recorded every task it had; of very many it recorded some */
export function checkTasks(session: Session, truth: Truth, all: boolean): void {
  const { tasks } = ask<{ tasks: readonly PsRow[] }>(session, "ps");
  const ours = new Map(tasks.filter((task) => task.pid !== 0).map((task) => [task.pid, task]));
  const said = new Map(truth.tasks().map((task) => [task.tid, task]));
  expect(said.size).toBeGreaterThan(20);
  const missing = [...said.values()].filter((task) => !ours.has(task.tid)).map((task) => `${task.tid} ${task.comm}`);
  // Processes that did the recording are gone by the time of death; kernel threads and the guest's own users stay.
  expect(missing.filter((task) => !/ (sh|cat|init|ls|cp|tar|dd|sleep|kworker\/.*|truth.*)$/.test(task))).toEqual([]);
  expect(missing.length).toBeLessThan(8);
  // Recording takes seconds: what is younger than every task that was recorded may have come meanwhile.
  const youngest = Math.max(...[...ours.values()].filter((task) => said.has(task.pid)).map((task) => startedAt(session, task.address)));
  const unknown = [...ours.values()].filter((task) => all && !said.has(task.pid) && startedAt(session, task.address) < youngest);
  expect(unknown.map((task) => `${task.pid} ${task.comm}`)).toEqual([]);
  for (const [pid, task] of ours) {
    const word = said.get(pid);
    if (word === undefined) continue;
    expect([pid, plainComm(task.comm), task.ppid]).toEqual([pid, plainComm(word.comm), word.ppid]);
  }
}

/** Every module of /proc/modules, with its base and size. */
export function checkModules(session: Session, truth: Truth): void {
  const { modules } = ask<{ modules: readonly { name: string; base: string; size: number }[] }>(session, "mod");
  const ours = modules.map(({ name, base, size }) => ({ name, base, size })).sort((a, b) => (a.name < b.name ? -1 : 1));
  expect(ours.length).toBeGreaterThan(1);
  const said = truth.modules().map(({ name, address, size }) => ({ name, base: `0x${address.toString(16)}`, size }));
  expect(ours).toEqual(said.sort((a, b) => (a.name < b.name ? -1 : 1)));
}

/** Every line of /proc/kallsyms: the symbol is there, at that address, in that module. */
export function checkSymbols(session: Session, truth: Truth): void {
  const { addresses, names, modules } = truth.kallsyms();
  expect(names.length).toBeGreaterThan(100);
  const wrong: string[] = [];
  for (const [i, name] of names.entries()) {
    // BPF programs and ftrace trampolines are no part of any symbol table in the image.
    const module = modules[i];
    if (module === "bpf" || module?.startsWith("__builtin") === true) continue;
    const found = session.kernel.symbols.allByName(name).some((symbol) => symbol.address === addresses[i] && symbol.module === module);
    if (!found) wrong.push(`${(addresses[i] as bigint).toString(16)} ${name} ${module ?? ""}`);
  }
  expect(wrong.slice(0, 10)).toEqual([]);
}

/** /proc/mounts of init. */
export function checkMounts(session: Session, truth: Truth): void {
  const init = taskTable(session.kernel).byPid.get(1);
  expect(init).toBeDefined();
  const table = mountTable(session.kernel, (init as NonNullable<typeof init>).address);
  const ours = table.mounts.filter((mount) => mount.reachable).map((mount) => `${mount.directory} ${mount.type}`);
  expect(ours.length).toBeGreaterThan(2);
  expect(ours.sort()).toEqual(
    truth
      .mounts()
      .map((mount) => `${mount.path} ${mount.type}`)
      .sort(),
  );
}

/**
 * dmesg as the guest printed it is what our log begins with. Further lines of one record are indented, as crash has it; dmesg repeats the
 * stamp.
 */
export function checkLog(session: Session, truth: Truth): void {
  let stamp = "";
  const lines = [...session.execute("log").text({ radix: 10 })].map((line) => {
    stamp = /^\[ *\d+\.\d+\] /.exec(line)?.[0] ?? stamp;
    return (line.startsWith(stamp) ? line : stamp + line.slice(stamp.length)).trimEnd();
  });
  const said = truth.log().map((line) => line.trimEnd());
  expect(said.length).toBeGreaterThan(100);
  expect(lines.slice(0, said.length)).toEqual(said);
  expect(lines.length).toBeGreaterThan(said.length);
}
