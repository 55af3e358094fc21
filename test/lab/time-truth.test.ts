/**
 * sig, irq, runq, timer, wq, waitq, ipcs, cpu and rcu against the guest's own word: /proc/PID/status of every recorded task, and
 * /proc/interrupts, in every case; what the `views` module and program said of the objects they made. Kernels that list functions only
 * (Debian's arm64 until 6.1) are opened with their vmlinux, where it is at hand.
 */
import { existsSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type CachedCase, cachedCases, isRealTime } from "../../lab/case-record.ts";
import { truthOf } from "../../lab/truth.ts";
import { type ViewTruth, viewsOf } from "../../lab/views-truth.ts";
import type { Session } from "../../src/commands/command.ts";
import type { CpuResult } from "../../src/commands/cpu.ts";
import type { IpcsResult } from "../../src/commands/ipcs.ts";
import type { IrqResult } from "../../src/commands/irq.ts";
import type { RcuResult } from "../../src/commands/rcu.ts";
import type { RunqEntry, RunqResult } from "../../src/commands/runq.ts";
import { createSession } from "../../src/commands/session.ts";
import type { SigResult } from "../../src/commands/sig.ts";
import type { TimerResult } from "../../src/commands/timer.ts";
import type { WaitqResult } from "../../src/commands/waitq.ts";
import type { WqResult } from "../../src/commands/wq.ts";
import { openKernel } from "../../src/kernel/open.ts";
import { openVmlinux } from "../../src/kernel/vmlinux-file.ts";
import { taskTable } from "../../src/linux/task.ts";

const wholeDump = (lab: CachedCase) => lab.dumps.find(({ name, format }) => format !== "raw" && !/d31/.test(name))?.files;

async function openCase(lab: CachedCase): Promise<Session> {
  const kernel = await openKernel(wholeDump(lab) ?? []);
  if (kernel.tryAddress("softirq_vec") !== undefined || lab.vmlinux === undefined || !existsSync(lab.vmlinux)) return createSession(kernel);
  kernel.dump.close();
  return createSession(await openKernel(wholeDump(lab) ?? [], { vmlinux: await openVmlinux(lab.vmlinux) }));
}

const words = (text: string | undefined) => (text ?? "").split(",");
const ask = <T>(session: Session, line: string): T => session.execute(line).result as T;

describe.each(
  cachedCases()
    .filter((lab) => wholeDump(lab) !== undefined)
    .map((lab) => [lab.id, lab] as const),
)("%s", (_id, lab) => {
  const truth = truthOf(lab);
  let session: Session;
  beforeAll(async () => {
    session = await openCase(lab);
  });
  afterAll(() => session.kernel.dump.close());

  test("sig: /proc/PID/status", () => {
    const { byPid } = taskTable(session.kernel);
    const statuses = new Map<number, string>();
    for (const pid of truth.processIds()) {
      for (const tid of new Set([String(pid), ...truth.files.list(`proc/${pid}/task`)])) {
        const text = truth.files.read(`proc/${pid}/task/${tid}/status`) ?? truth.files.read(`proc/${pid}/status`);
        if (text !== undefined && byPid.has(Number(tid))) statuses.set(Number(tid), text);
      }
    }
    expect(statuses.size).toBeGreaterThan(20);
    const wrong: string[] = [];
    for (const [tid, text] of statuses) {
      const field = (name: string) => new RegExp(`^${name}:[ \\t]*(\\S+)$`, "m").exec(text)?.[1];
      // The shell that records waits for a child or reaps one: its own signals come and go.
      if (field("Pid") === "1" || byPid.get(tid)?.comm !== /^Name:\t(.*)$/m.exec(text)?.[1]) continue;
      const [task] = ask<SigResult>(session, `sig ${tid}`).tasks ?? [];
      if (task === undefined || field("Pid") !== String(tid)) continue;
      const own = { SigPnd: task.own.set, ShdPnd: task.shared.set, SigBlk: task.blocked, SigIgn: task.ignored, SigCgt: task.caught };
      for (const [name, value] of Object.entries(own)) {
        const theirs = field(name);
        if (theirs !== undefined && BigInt(`0x${theirs}`) !== value)
          wrong.push(`${tid} ${task.comm} ${name}: ${value.toString(16)}, ${theirs}`);
      }
      const queue = field("SigQ");
      if (queue !== undefined && queue !== `${task.queued}/${task.limit}`)
        wrong.push(`${tid} SigQ: ${task.queued}/${task.limit}, ${queue}`);
    }
    expect(wrong).toEqual([]);
  });

  test("irq -s: /proc/interrupts", () => {
    const theirs = truth.files.read("proc/interrupts");
    if (theirs === undefined || session.kernel.tryAddress("softirq_vec") === undefined) return;
    const { irqs = [], architecture = [] } = ask<IrqResult>(session, "irq -s");
    const own = new Map<string, readonly number[]>([
      ...irqs.map(({ irq, counts = [] }): [string, readonly number[]] => [String(irq), counts]),
      ...architecture.map(({ label, counts }): [string, readonly number[]] => [label, counts]),
    ]);
    const rows = theirs
      .split("\n")
      .slice(1)
      .flatMap((line) => {
        const [, label, numbers] = /^ *(\w+): +((?:\d+ *)+)/.exec(line) ?? [];
        return label === undefined ? [] : [{ label, counts: (numbers as string).trim().split(/ +/).map(Number) }];
      });
    expect(rows.length).toBeGreaterThan(8);
    // Posted interrupts are counted by KVM's module, and lines without an action by nobody.
    expect([...own.keys()].filter((label) => !rows.some((row) => row.label === label))).toEqual([]);
    const missing = rows.filter(({ label }) => !own.has(label)).map(({ label }) => label);
    expect(missing).toEqual([]);
    for (const { label, counts } of rows) {
      const [count] = counts;
      const mine = own.get(label) as readonly number[];
      // Counters go on after the recording; a line's numbers may be followed by a chip's.
      for (const [cpu, value] of mine.entries()) expect(value, `${label} on CPU ${cpu}`).toBeGreaterThanOrEqual(counts[cpu] ?? 0);
      expect(count).toBeDefined();
    }
  });

  test("irq -b: /proc/softirqs", () => {
    const theirs = truth.files.read("proc/softirqs");
    if (theirs === undefined || session.kernel.tryAddress("softirq_vec") === undefined) return;
    const { softirqs = [] } = ask<IrqResult>(session, "irq -b");
    const rows = theirs
      .trim()
      .split("\n")
      .slice(1)
      .map((line) => line.trim().split(/:? +/));
    expect(softirqs.map(({ name }) => name)).toEqual(rows.map(([name]) => name));
    for (const [i, [name, ...counts]] of rows.entries()) {
      for (const [cpu, count] of (softirqs[i]?.counts ?? []).entries())
        expect(count, `${name} on CPU ${cpu}`).toBeGreaterThanOrEqual(Number(counts[cpu]));
    }
    expect(softirqs[1]?.counts?.some((count) => count > 0)).toBe(true);
  });

  test("cpu, rcu, runq, timer, wq answer without complaint", () => {
    if (session.kernel.tryAddress("softirq_vec") === undefined) return;
    for (const line of ["cpu", "runq", "runq -g", "timer", "timer -r", "wq -a"]) {
      const { notes = [] } = ask<{ notes?: readonly string[] }>(session, line);
      expect(notes, line).toEqual([]);
    }
    const { cpus } = ask<CpuResult>(session, "cpu");
    expect(
      cpus.every(({ current, running, preempt }) => current?.pid !== undefined && running !== undefined && preempt !== undefined),
    ).toBe(true);
    if (session.kernel.types.tryStruct("rcu_data") === undefined) return;
    const { flavours, notes = [] } = ask<RcuResult>(session, "rcu");
    expect(notes).toEqual([]);
    expect(flavours[0]?.number).toBeGreaterThan(0);
    expect(flavours[0]?.kthread?.comm).toMatch(/^rcu_/);
  });

  if (!lab.id.endsWith("-views")) return;
  const facts = viewsOf(truth).map((view) => ({ ...view, fields: Object.fromEntries(view.fields) }));
  const of = (kind: ViewTruth["kind"]) => facts.filter((fact) => fact.kind === kind);

  test("timer", () => {
    const timers = new Map(
      (ask<TimerResult>(session, "timer").bases ?? []).flatMap((base) =>
        base.timers.map((timer) => [timer.timer, { ...timer, base }] as const),
      ),
    );
    expect(of("timer").length).toBe(4);
    for (const { name, address, fields } of of("timer")) {
      const timer = timers.get(address as bigint);
      expect(timer, name).toMatchObject({ expires: Number(fields.expires), name: fields.function, module: "lab_views" });
      expect(timer?.base.name === "BASE_DEF").toBe(fields.deferrable === "1");
      if (name === "pinned") expect(timer?.base.cpu).toBe(Number(fields.cpu));
    }
  });

  test("timer -r", () => {
    const clocks = (ask<TimerResult>(session, "timer -r").hrtimers ?? []).flatMap((each) => each.clocks);
    expect(of("hrtimer").length).toBe(4);
    for (const { name, address, fields } of of("hrtimer")) {
      const clock = clocks.find(({ timers }) => timers.some(({ timer }) => timer === address));
      const read = { monotonic: "ktime_get", realtime: "ktime_get_real", boottime: "ktime_get_boottime" }[fields.clock as string];
      expect(clock?.clock, name).toBe(read);
      // PREEMPT_RT runs all but those that ask for it in the softirq (__hrtimer_setup()).
      expect(clock !== undefined && clock.index >= 4).toBe(fields.mode === "soft" || isRealTime(lab));
      expect(clock?.timers.find(({ timer }) => timer === address)?.expires?.toString()).toBe(fields.expires);
    }
  });

  test("wq", () => {
    const { pools, queues, delayed } = ask<WqResult>(session, "wq");
    const busy = pools.flatMap((pool) => pool.busy);
    const inactive = queues.flatMap((queue) => queue.inactive);
    const waiting = [...inactive, ...pools.flatMap(({ pending }) => pending), ...busy.flatMap(({ scheduled = [] }) => scheduled)];
    expect(of("work").length).toBeGreaterThan(5);
    for (const { name, address, fields } of of("work")) {
      const expected = { queue: fields.wq, function: `${fields.function} [lab_views]` };
      const state = fields.state;
      const found =
        state === "running"
          ? busy.find(({ work }) => work === address)
          : (state === "delayed" ? delayed : waiting).find(({ work }) => work === address);
      expect(found, name).toMatchObject(expected);
    }
    const flusher = of("task").find(({ name }) => name === "lv-flush");
    if (flusher !== undefined) expect(waiting.some(({ flusher: task }) => task?.pid === Number(flusher.fields.pid))).toBe(true);
  });

  test("waitq", () => {
    const [queue] = of("lock").filter(({ fields }) => fields.kind === "waitqueue");
    const found = ask<WaitqResult>(session, `waitq ${queue?.address?.toString(16)}`).waiters;
    expect(found.map(({ task }) => task?.pid).sort()).toEqual(words(queue?.fields.waiters).map(Number).sort());
    expect(
      found
        .filter(({ exclusive }) => exclusive === true)
        .map(({ task }) => task?.comm)
        .sort(),
    ).toEqual(words(queue?.fields.exclusive).sort());
    const [completion] = of("lock").filter(({ fields }) => fields.kind === "completion");
    const inside = ask<WaitqResult>(session, `waitq completion.wait ${completion?.address?.toString(16)}`).waiters;
    expect(inside.map(({ task }) => task?.pid).sort()).toEqual(words(completion?.fields.waiters).map(Number).sort());
  });

  test("ipcs: /proc/sysvipc", () => {
    if (session.kernel.tryAddress("init_ipc_ns") === undefined) return;
    const { shared = [], semaphores = [], queues = [] } = ask<IpcsResult>(session, "ipcs -n 1");
    const rows = (name: string) => {
      const [head, ...lines] = truth.text(`proc/sysvipc/${name}`).trim().split("\n");
      const titles = (head as string).trim().split(/ +/);
      return lines.map((line) =>
        Object.fromEntries(
          line
            .trim()
            .split(/ +/)
            .map((cell, i) => [titles[i] as string, Number(cell)]),
        ),
      );
    };
    const octal = (mode: number) => Number(mode.toString(8));
    const page = session.kernel.arch.pageSize;
    expect(
      shared.map((each) => ({
        key: each.key,
        shmid: each.id,
        perms: octal(each.mode),
        size: each.bytes,
        rss: (each.resident ?? 0) * page,
        swap: (each.swapped ?? 0) * page,
        uid: each.uid,
      })),
    ).toEqual(rows("shm").map(({ key, shmid, perms, size, rss, swap, uid }) => ({ key, shmid, perms, size, rss, swap, uid })));
    expect(semaphores.map(({ key, id, mode, semaphores: nsems }) => ({ key, semid: id, perms: octal(mode), nsems }))).toEqual(
      rows("sem").map(({ key, semid, perms, nsems }) => ({ key, semid, perms, nsems })),
    );
    expect(semaphores[0]?.values.join(",")).toBe(of("sem")[0]?.fields.values);
    expect(
      queues.map(({ key, id, mode, bytes, messages }) => ({ key, msqid: id, perms: octal(mode), cbytes: bytes, qnum: messages })),
    ).toEqual(rows("msg").map(({ key, msqid, perms, cbytes, qnum }) => ({ key, msqid, perms, cbytes, qnum })));
  });

  test("runq: tasks that spin on one CPU", () => {
    const { cpus } = ask<RunqResult>(session, "runq");
    const flat = (entries: readonly RunqEntry[]): { pid?: number | undefined; priority?: number | undefined }[] =>
      entries.flatMap((entry) => ("entries" in entry ? flat(entry.entries) : [{ pid: entry.task.pid, priority: entry.priority }]));
    const spinning = of("task").filter(({ name }) => name.startsWith("v-spin"));
    expect(spinning.length).toBe(5);
    for (const { name, fields } of spinning) {
      const realtime = fields.policy === "fifo" || fields.policy === "rr";
      const priority = realtime ? 99 - Number(fields.priority) : 120 + Number(fields.nice);
      const queued = cpus.flatMap(({ realtime: rt, fair }) => flat(realtime ? rt.entries : fair.entries));
      expect(queued, name).toContainEqual({ pid: Number(fields.pid), priority });
    }
  });
});
