import { describe, expect, test } from "vitest";
import { virtual } from "../bytes/address.ts";
import { hashedPids } from "./pid-hash.ts";
import { activeTasks, isKernelThread, parentPid, taskState, tasksWithPid, taskTable, threadsOf } from "./task.ts";
import { FakeKernel, type StructTable } from "./testing/fake-kernel.ts";

const TABLE: StructTable = {
  list_head: { next: [0, "u64"], prev: [8, "u64"] },
  thread_info: { flags: [0, "u64"], cpu: [8, "u32"] },
  task_struct: {
    thread_info: [0, "thread_info"],
    __state: [24, "u32"],
    stack: [32, "u64"],
    flags: [40, "u32"],
    on_cpu: [44, "u32"],
    prio: [48, "s32"],
    policy: [52, "u32"],
    tasks: [64, "list_head"],
    mm: [80, "u64"],
    exit_state: [88, "s32"],
    pid: [92, "s32"],
    tgid: [96, "s32"],
    real_parent: [104, "u64"],
    group_leader: [112, "u64"],
    pid_links: [120, "bytes64"],
    thread_node: [184, "list_head"],
    comm: [200, "bytes16"],
    signal: [216, "u64"],
  },
  signal_struct: { count: [0, "u64"], thread_head: [16, "list_head"] },
  pid: { count: [0, "u64"], tasks: [16, "bytes32"] },
  xarray: { xa_lock: [0, "u32"], xa_head: [8, "u64"] },
  idr: { idr_rt: [0, "xarray"], idr_base: [16, "u32"] },
  pid_namespace: { idr: [0, "idr"] },
  xa_node: { shift: [0, "u8"], offset: [1, "u8"], slots: [40, "bytes512"] },
  rq: { curr: [16, "u64"], idle: [24, "u64"] },
  cpumask: { bits: [0, "u64"] },
};

const INIT = 0xffff_ffff_8260_0000n;
const TASKS = 0xffff_8880_0010_0000n;
const PIDS = 0xffff_8880_0020_0000n;
const SIGNALS = 0xffff_8880_0030_0000n;
const NODE = 0xffff_8880_0040_0000n;
const NAMESPACE = 0xffff_ffff_8261_0000n;
const RUNQUEUES = 0x2_0000n;
const AREAS = [0xffff_8880_1000_0000n, 0xffff_8880_1100_0000n];
const PF_KTHREAD = 0x20_0000;

interface Spec {
  readonly pid: number;
  readonly tgid?: number;
  readonly ppid?: number;
  readonly comm: string;
  readonly flags?: number;
  readonly state?: number;
  readonly cpu?: number;
  readonly mm?: bigint;
}

/** A kernel with these tasks, in the idr and on the lists, two CPUs that run their idle tasks unless told. */
class TaskBuilder {
  readonly fake = new FakeKernel(TABLE);

  constructor(specs: readonly Spec[], running: readonly (number | undefined)[] = []) {
    const { memory } = this.fake;
    for (const [name, address] of [
      ["init_task", INIT],
      ["init_pid_ns", NAMESPACE],
      ["runqueues", RUNQUEUES],
      ["__cpu_possible_mask", NAMESPACE + 0x100n],
      ["__cpu_present_mask", NAMESPACE + 0x100n],
      ["__cpu_online_mask", NAMESPACE + 0x100n],
    ] as const)
      this.fake.symbol(name, address);
    memory.put64(NAMESPACE + 0x100n, 3n);
    this.fake.perCpuOffsets = AREAS.map(virtual);
    this.#write(INIT, { pid: 0, comm: "swapper/0", flags: PF_KTHREAD }, INIT);
    this.#write(this.address(9999), { pid: 0, comm: "swapper/1", flags: PF_KTHREAD, cpu: 1 }, this.address(9999));
    memory.write(NODE, new Uint8Array(576));
    memory.put64(NAMESPACE + 8n, NODE | 2n);
    for (const spec of specs) {
      this.#write(this.address(spec.pid), spec, this.address(spec.tgid ?? spec.pid));
      const pid = PIDS + BigInt(spec.pid) * 0x100n;
      memory.put64(pid + 16n, this.address(spec.pid) + 120n);
      memory.put64(NODE + 40n + BigInt(spec.pid) * 8n, pid);
    }
    const leaders = specs.filter(({ pid, tgid }) => (tgid ?? pid) === pid);
    this.#ring([INIT, ...leaders.map(({ pid }) => this.address(pid))].map((address) => address + 64n));
    this.#ring([this.signal(0) + 16n, INIT + 184n]);
    for (const { pid } of leaders) {
      const group = specs.filter((spec) => (spec.tgid ?? spec.pid) === pid);
      this.#ring([this.signal(pid) + 16n, ...group.map((spec) => this.address(spec.pid) + 184n)]);
    }
    AREAS.forEach((area, cpu) => {
      const idle = cpu === 0 ? INIT : this.address(9999);
      const pid = running[cpu];
      memory.put64(area + RUNQUEUES + 16n, pid === undefined ? idle : this.address(pid));
      memory.put64(area + RUNQUEUES + 24n, idle);
    });
  }

  address(pid: number): bigint {
    return TASKS + BigInt(pid) * 0x400n;
  }

  signal(pid: number): bigint {
    return SIGNALS + BigInt(pid) * 0x100n;
  }

  get table() {
    return taskTable(this.fake.kernel);
  }

  #write(at: bigint, spec: Spec, leader: bigint): void {
    const { memory } = this.fake;
    memory.write(at, new Uint8Array(0x400));
    memory.put32(at + 8n, spec.cpu ?? 0);
    memory.put32(at + 24n, spec.state ?? 0);
    memory.put32(at + 40n, spec.flags ?? 0);
    memory.put64(at + 80n, spec.mm ?? 0n);
    memory.put32(at + 92n, spec.pid);
    memory.put32(at + 96n, spec.tgid ?? spec.pid);
    memory.put64(at + 104n, spec.ppid === undefined || spec.ppid === 0 ? INIT : this.address(spec.ppid));
    memory.put64(at + 112n, leader);
    memory.putText(at + 200n, spec.comm);
    memory.put64(at + 216n, this.signal(spec.tgid ?? spec.pid));
  }

  #ring(nodes: readonly bigint[]): void {
    nodes.forEach((node, i) => {
      this.fake.memory.put64(node, nodes[(i + 1) % nodes.length] as bigint);
      this.fake.memory.put64(node + 8n, nodes[(i + nodes.length - 1) % nodes.length] as bigint);
    });
  }
}

const SPECS: readonly Spec[] = [
  { pid: 1, comm: "init", mm: 0xffff_8880_0050_0000n, state: 1 },
  { pid: 2, comm: "kthreadd", flags: PF_KTHREAD, state: 1 },
  { pid: 10, comm: "server", ppid: 1, mm: 0xffff_8880_0050_1000n, state: 2 },
  { pid: 11, tgid: 10, comm: "worker", ppid: 1, mm: 0xffff_8880_0050_1000n, cpu: 1 },
];

describe("taskTable", () => {
  test("lists idle tasks by CPU and the others by pid, with nothing to remark", () => {
    const { table } = new TaskBuilder(SPECS);
    expect(table.tasks.map(({ comm, pid, cpu }) => `${comm}:${pid}:${cpu}`)).toEqual([
      "swapper/0:0:0",
      "swapper/1:0:1",
      "init:1:0",
      "kthreadd:2:0",
      "server:10:0",
      "worker:11:1",
    ]);
    expect(table.notes).toEqual([]);
    expect(table.byPid.get(10)?.comm).toBe("server");
    expect(table.byPid.has(0)).toBe(false);
  });

  test("states, parents, kernel threads, thread groups", () => {
    const builder = new TaskBuilder(SPECS);
    const { kernel } = builder.fake;
    const by = (pid: number) => builder.table.byPid.get(pid) as NonNullable<ReturnType<typeof builder.table.byPid.get>>;
    expect([1, 10, 11].map((pid) => taskState(by(pid)))).toEqual(["IN", "UN", "RU"]);
    expect([1, 10].map((pid) => parentPid(kernel, by(pid)))).toEqual([0, 1]);
    expect([1, 2].map((pid) => isKernelThread(by(pid)))).toEqual([false, true]);
    expect(threadsOf(kernel, by(11)).map(({ pid }) => pid)).toEqual([10, 11]);
    expect(tasksWithPid(kernel, 0).map(({ comm }) => comm)).toEqual(["swapper/0", "swapper/1"]);
    expect(tasksWithPid(kernel, 4711)).toEqual([]);
  });

  test("active tasks are those that the run queues name", () => {
    const builder = new TaskBuilder(SPECS, [undefined, 11]);
    expect(activeTasks(builder.fake.kernel).map(({ cpu, task }) => [cpu, task.comm])).toEqual([
      [0, "swapper/0"],
      [1, "worker"],
    ]);
  });

  test("a damaged table of pids loses nothing that the lists hold", () => {
    const builder = new TaskBuilder(SPECS);
    builder.fake.memory.put64(NODE + 40n + 8n * 2n, 0xffff_dead_0000_0002n);
    const { tasks, notes } = builder.table;
    expect(tasks.map(({ pid }) => pid)).toEqual([0, 0, 1, 2, 10, 11]);
    expect(notes.join("\n")).toMatch(/table of pids is damaged[\s\S]*3 tasks are on the task lists/);
  });

  test("without init_pid_ns the lists do alone, and that is said", () => {
    const builder = new TaskBuilder(SPECS);
    builder.fake.addresses.delete("init_pid_ns");
    expect(builder.table.tasks.map(({ pid }) => pid)).toEqual([0, 0, 1, 2, 10, 11]);
    expect(builder.table.notes).toHaveLength(1);
  });

  test("a damaged list loses nothing that the pids hold", () => {
    const builder = new TaskBuilder(SPECS);
    builder.fake.memory.put64(builder.address(1) + 64n, 0xdead_0000_0000_0100n);
    builder.fake.memory.put64(builder.address(2) + 64n, 0xffff_8880_7777_0000n);
    expect(builder.table.tasks).toHaveLength(6);
    expect(builder.table.notes).toEqual(["2 links of the task lists lead to no task: the lists are damaged, or their pages were left out"]);
    expect(builder.table.incomplete).toBeUndefined();
  });

  test("what a list names must look like a task", () => {
    const builder = new TaskBuilder(SPECS);
    builder.fake.memory.write(0xffff_8880_0066_0000n, new Uint8Array(4096).fill(0x41));
    builder.fake.memory.put64(builder.address(1) + 64n, 0xffff_8880_0066_0100n);
    expect(builder.table.tasks).toHaveLength(6);
  });

  test("a task whose page is missing is counted, the others stand", () => {
    const builder = new TaskBuilder(SPECS);
    builder.fake.memory.put64(PIDS + 0x200n + 16n, 0xffff_8880_9999_0000n);
    expect(builder.table.byPid.get(2)?.comm).toBe("kthreadd");
    expect(builder.table.notes.join()).toContain("1 tasks cannot be read");
    expect(builder.table.incomplete).toContain("1 tasks cannot be read");
  });

  test("without run queues on_cpu tells who runs", () => {
    const builder = new TaskBuilder(SPECS);
    builder.fake.addresses.delete("runqueues");
    builder.fake.memory.put32(builder.address(10) + 44n, 1);
    const { tasks, notes } = builder.table;
    expect(tasks.filter(({ active }) => active).map(({ pid }) => pid)).toEqual([10]);
    expect(notes[0]).toContain("run queues cannot be found");
  });
});

describe("tasks of 3.10", () => {
  /** pid_hash and thread_group in place of idr and thread_head, thread_info on the stack, states that have moved since. */
  const OLD: StructTable = {
    list_head: { next: [0, "u64"], prev: [8, "u64"] },
    thread_info: { task: [0, "u64"], flags: [16, "u32"], cpu: [24, "u32"] },
    task_struct: {
      state: [0, "s64"],
      stack: [8, "u64"],
      flags: [20, "u32"],
      on_cpu: [40, "s32"],
      prio: [44, "s32"],
      policy: [48, "u32"],
      tasks: [64, "list_head"],
      mm: [80, "u64"],
      exit_state: [88, "s32"],
      pid: [92, "s32"],
      tgid: [96, "s32"],
      real_parent: [104, "u64"],
      group_leader: [112, "u64"],
      pids: [120, "bytes72"],
      thread_group: [192, "list_head"],
      comm: [208, "bytes16"],
      signal: [224, "u64"],
    },
    signal_struct: { sigcnt: [0, "u32"] },
    upid: { nr: [0, "s32"], ns: [8, "u64"], pid_chain: [16, "bytes16"] },
    pid: { count: [0, "u32"], tasks: [8, "bytes24"], numbers: [48, "upid"] },
    pid_namespace: { kref: [0, "u32"] },
    rq: { curr: [16, "u64"], idle: [24, "u64"] },
    cpumask: { bits: [0, "u64"] },
  };
  const HASH = 0xffff_8880_0060_0000n;
  const STACKS = 0xffff_8880_0070_0000n;
  const address = (pid: number) => TASKS + BigInt(pid) * 0x400n;

  function oldKernel(hashed: boolean) {
    const fake = new FakeKernel(OLD);
    const { memory } = fake;
    const tasks = [
      { pid: 0, tgid: 0, comm: "swapper/0", at: INIT, state: 0 },
      { pid: 1, tgid: 1, comm: "systemd", at: address(1), state: 1 },
      { pid: 5, tgid: 5, comm: "server", at: address(5), state: 130 },
      { pid: 6, tgid: 5, comm: "thread", at: address(6), state: 512 },
      { pid: 7, tgid: 5, comm: "thread", at: address(7), state: 64 },
    ];
    const ring = (nodes: readonly bigint[]) =>
      nodes.forEach((node, i) => {
        memory.put64(node, nodes[(i + 1) % nodes.length] as bigint);
      });
    for (const [i, task] of tasks.entries()) {
      memory.write(task.at, new Uint8Array(0x400));
      memory.put64(task.at, BigInt(task.state));
      memory.put64(task.at + 8n, STACKS + BigInt(i * 0x4000));
      memory.put32(STACKS + BigInt(i * 0x4000) + 24n, task.pid === 6 ? 1 : 0);
      memory.put32(task.at + 92n, task.pid);
      memory.put32(task.at + 96n, task.tgid);
      memory.put64(task.at + 104n, INIT);
      memory.put64(task.at + 112n, task.tgid === 0 ? INIT : address(task.tgid));
      memory.putText(task.at + 208n, task.comm);
      memory.put64(task.at + 224n, SIGNALS);
      const pid = PIDS + BigInt(task.pid) * 0x100n;
      memory.write(pid, new Uint8Array(0x100));
      memory.put64(pid + 8n, task.at + 120n);
      memory.put64(pid + 56n, NAMESPACE);
    }
    ring([INIT, address(1), address(5)].map((at) => at + 64n));
    for (const group of [[INIT], [address(1)], [address(5), address(6), address(7)]]) ring(group.map((at) => at + 192n));
    fake.symbol("init_task", INIT);
    fake.symbol("init_pid_ns", NAMESPACE);
    fake.symbol("runqueues", RUNQUEUES);
    fake.perCpuOffsets = [virtual(AREAS[0] as bigint)];
    memory.put64((AREAS[0] as bigint) + RUNQUEUES + 16n, INIT);
    memory.put64((AREAS[0] as bigint) + RUNQUEUES + 24n, INIT);
    const names = NAMESPACE + 0x800n;
    fake.symbol("task_state_array", names);
    [..."RSDTtZXxKWP"].forEach((letter, i) => {
      memory.put64(names + BigInt(i * 8), names + 0x100n + BigInt(i * 16));
      memory.putText(names + 0x100n + BigInt(i * 16), `${letter} (name)\0`);
    });
    if (hashed) {
      // Two heads: 1 and 5 on the first chain, 6 and 7 on the second; a pid of a container, which is not this namespace's, among them.
      fake.symbol("pid_hash", HASH);
      fake.symbol("pidhash_shift", HASH + 8n);
      memory.put64(HASH, HASH + 0x100n);
      memory.put32(HASH + 8n, 1);
      const node = (pid: number) => PIDS + BigInt(pid) * 0x100n + 64n;
      memory.write(PIDS + 0x900n, new Uint8Array(0x100));
      memory.put64(PIDS + 0x900n + 56n, NAMESPACE + 8n);
      for (const [at, next] of [
        [HASH + 0x100n, node(1)],
        [node(1), node(9)],
        [node(9), node(5)],
        [HASH + 0x108n, node(6)],
        [node(6), node(7)],
      ] as const)
        memory.put64(at, next);
    }
    return fake;
  }

  test.each([
    ["pid_hash", true],
    ["lists alone", false],
  ] as const)("are found by %s", (_name, hashed) => {
    const fake = oldKernel(hashed);
    const { tasks, notes } = taskTable(fake.kernel);
    expect(tasks.map((task) => `${task.pid} ${task.comm} ${task.cpu} ${taskState(task)}`)).toEqual([
      "0 swapper/0 0 RU",
      "1 systemd 0 IN",
      "5 server 0 UN",
      "6 thread 1 PA",
      "7 thread 0 DE",
    ]);
    expect(notes.length).toBe(hashed ? 0 : 1);
    expect(threadsOf(fake.kernel, tasks[2] as (typeof tasks)[number]).map(({ pid }) => pid)).toEqual([5, 6, 7]);
  });

  test("a chain that runs in a circle is told", () => {
    const fake = oldKernel(true);
    fake.memory.put64(PIDS + 0x700n + 64n, PIDS + 0x600n + 64n);
    expect(() => [...(hashedPids(fake.kernel, 100) ?? [])]).toThrow("a chain runs in a circle");
  });
});

test("tasks of 4.18: the IDR is a radix tree, `state` is a long and the CPU is task_struct.cpu", () => {
  const base = TABLE.task_struct as NonNullable<typeof TABLE.task_struct>;
  const { __state: _newer, ...members } = base;
  const { xarray: _xarray, xa_node: _node, ...table } = TABLE;
  const fake = new FakeKernel({
    ...table,
    task_struct: { ...members, thread_info: [0, "u64"], cpu: [8, "u32"], state: [24, "s64"], pids: [120, "bytes64"] },
    radix_tree_root: { gfp_mask: [0, "u32"], rnode: [8, "u64"] },
    idr: { idr_rt: [0, "radix_tree_root"] },
    radix_tree_node: { shift: [0, "u8"], offset: [1, "u8"], slots: [40, "bytes512"] },
  });
  const { memory } = fake;
  const at = (pid: number) => (pid === 0 ? INIT : TASKS + BigInt(pid) * 0x400n);
  memory.write(NODE, new Uint8Array(576));
  for (const [pid, comm, state, cpu] of [
    [0, "swapper/0", 0, 0],
    [1, "systemd", 1, 1],
    [9, "kworker", 1026, 0],
  ] as const) {
    memory.write(at(pid), new Uint8Array(0x400));
    memory.put32(at(pid) + 8n, cpu);
    memory.put64(at(pid) + 24n, BigInt(state));
    memory.put32(at(pid) + 92n, pid);
    memory.put32(at(pid) + 96n, pid);
    memory.put64(at(pid) + 112n, at(pid));
    memory.putText(at(pid) + 200n, comm);
    memory.put64(at(pid) + 216n, SIGNALS);
    memory.put64(at(pid) + 184n, SIGNALS + 16n);
    if (pid === 0) continue;
    const struct = PIDS + BigInt(pid) * 0x100n;
    memory.put64(struct + 16n, at(pid) + 120n);
    memory.put64(NODE + 40n + BigInt(pid) * 8n, struct);
  }
  [0, 1, 9].forEach((pid, i, all) => {
    memory.put64(at(pid) + 64n, at(all[(i + 1) % all.length] as number) + 64n);
  });
  memory.put64(NAMESPACE + 8n, NODE | 1n);
  fake.symbol("init_task", INIT);
  fake.symbol("init_pid_ns", NAMESPACE);
  fake.symbol("runqueues", RUNQUEUES);
  memory.put64(RUNQUEUES + 16n, INIT);
  memory.put64(RUNQUEUES + 24n, INIT);
  const { tasks, notes } = taskTable(fake.kernel);
  expect(tasks.map((task) => `${task.pid} ${task.comm} ${task.cpu} ${taskState(task)}`)).toEqual([
    "0 swapper/0 0 RU",
    "1 systemd 1 IN",
    "9 kworker 0 ID",
  ]);
  expect(notes).toEqual([]);
});
