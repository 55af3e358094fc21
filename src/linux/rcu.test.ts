import { beforeEach, expect, test } from "vitest";
import { virtual } from "../bytes/address.ts";
import { readRcu } from "./rcu.ts";
import { FakeKernel } from "./testing/fake-kernel.ts";

const STATE = 0xffff_8880_0001_0000n;
const NODE = (n: number) => STATE + 0x100n + BigInt(n) * 0x80n;
const DATA = 0x1000n;
const AREA = (cpu: number) => 0xffff_8880_0010_0000n + BigInt(cpu) * 0x1_0000n;
const READER = (n: number) => 0xffff_8880_0020_0000n + BigInt(n) * 0x1000n;

let fake: FakeKernel;

/** Two leaves of two CPUs below one root: node 0 is the root, and the state begins 0x100 before it. */
beforeEach(() => {
  fake = new FakeKernel({
    rcu_state: {
      node: [0x100, "bytes512"],
      gp_seq: [0x400, "u64"],
      gp_state: [0x408, "u16"],
      expedited_sequence: [0x410, "u64"],
      gp_kthread: [0x418, "u64"],
    },
    rcu_node: {
      qsmask: [0, "u64"],
      expmask: [8, "u64"],
      grplo: [16, "u32"],
      grphi: [20, "u32"],
      level: [24, "u8"],
      parent: [32, "u64"],
      blkd_tasks: [40, "bytes16"],
      gp_tasks: [56, "u64"],
      exp_tasks: [64, "u64"],
      cbovldmask: [0x78, "u64"],
    },
    rcu_data: { gp_seq: [0, "u64"], core_needs_qs: [8, "u8"], mynode: [16, "u64"], cblist: [24, "rcu_segcblist"] },
    rcu_segcblist: { len: [0, "s64"], seglen: [8, "bytes32"] },
    task_struct: { rcu_node_entry: [0x40, "bytes16"] },
  });
  Object.assign(fake, { unknownSymbol: (name: string) => new Error(`no ${name}`) });
  fake.symbol("rcu_data", DATA);
  fake.perCpuOffsets = [0, 1, 2, 3].map((cpu) => virtual(AREA(cpu)));
  fake.memory.write(STATE, new Uint8Array(4096));
  for (const [n, first] of [
    [0, 0],
    [1, 0],
    [2, 2],
  ] as const) {
    fake.memory.put32(NODE(n) + 16n, first);
    fake.memory.put32(NODE(n) + 20n, first + (n === 0 ? 3 : 1));
    fake.memory.put64(NODE(n) + 32n, n === 0 ? 0n : NODE(0));
    list(NODE(n) + 40n);
  }
  for (const cpu of [0, 1, 2, 3]) {
    fake.memory.write(AREA(cpu) + DATA, new Uint8Array(4096));
    fake.memory.put64(AREA(cpu) + DATA + 16n, NODE(cpu < 2 ? 1 : 2));
  }
});

function list(head: bigint, ...nodes: readonly bigint[]): void {
  const all = [head, ...nodes];
  for (const [i, node] of all.entries()) {
    fake.memory.put64(node, all[(i + 1) % all.length] as bigint);
    fake.memory.put64(node + 8n, all[(i + all.length - 1) % all.length] as bigint);
  }
}

test("the state is found around the root, and a leaf's bits are its own CPUs", () => {
  fake.memory.put64(STATE + 0x400n, (42n << 2n) | 1n);
  fake.memory.put64(NODE(2), 0b10n);
  fake.memory.put64(NODE(1) + 8n, 0b01n);
  const notes: string[] = [];
  const [rcu] = readRcu(fake.kernel, [0, 1, 2, 3], notes);
  expect(rcu).toMatchObject({ address: STATE, number: 43, inProgress: true });
  expect(rcu?.leaves.map(({ waitsFor, expeditedWaitsFor }) => ({ waitsFor, expeditedWaitsFor }))).toEqual([
    { waitsFor: [], expeditedWaitsFor: [0] },
    { waitsFor: [3], expeditedWaitsFor: [] },
  ]);
  expect(notes).toEqual([]);
});

test("no grace period: its number is that of the last", () => {
  fake.memory.put64(STATE + 0x400n, 42n << 2n);
  expect(readRcu(fake.kernel, [0], [])[0]).toMatchObject({ number: 42, inProgress: false });
});

test("readers from *gp_tasks on hold it up; those in front came later", () => {
  for (const n of [0, 1, 2]) fake.memory.write(READER(n), new Uint8Array(4096));
  list(NODE(1) + 40n, READER(0) + 0x40n, READER(1) + 0x40n, READER(2) + 0x40n);
  fake.memory.put64(NODE(1) + 56n, READER(1) + 0x40n);
  const [rcu] = readRcu(fake.kernel, [0, 1, 2, 3], []);
  expect(rcu?.leaves[0]?.readers.map(({ task, blocks }) => [task, blocks])).toEqual([
    [READER(0), false],
    [READER(1), true],
    [READER(2), true],
  ]);
});

test("a CPU whose data is gone and a cut list of readers are told, and the rest comes", () => {
  fake.memory.drop(AREA(1) + DATA);
  fake.memory.put64(NODE(2) + 40n, 0n);
  const notes: string[] = [];
  const [rcu] = readRcu(fake.kernel, [0, 1, 2, 3], notes);
  expect(rcu?.cpus.map(({ cpu }) => cpu)).toEqual([0, 2, 3]);
  expect(rcu?.leaves).toHaveLength(2);
  expect(notes.some((note) => note.includes("CPU 1"))).toBe(true);
  expect(notes.some((note) => note.includes("blkd_tasks"))).toBe(true);
});

test("where a CPU's data is gone its leaf is found in rcu_state, and what it waits for is not lost", () => {
  fake.symbol("rcu_state", STATE);
  for (const cpu of [2, 3]) fake.memory.drop(AREA(cpu) + DATA);
  fake.memory.put64(NODE(2), 0b10n);
  const [rcu] = readRcu(fake.kernel, [0, 1, 2, 3], []);
  expect(rcu?.leaves.map(({ address, waitsFor }) => [address, waitsFor])).toEqual([
    [NODE(1), []],
    [NODE(2), [3]],
  ]);
  expect(rcu?.leavesWhole).toBe(true);
});

test("leaves that cannot be found or read are no leaves that wait for nobody", () => {
  expect(readRcu(fake.kernel, [0, 1, 2, 3], [])[0]?.leavesWhole).toBe(true);
  fake.symbol("rcu_state", STATE);
  fake.memory.drop(STATE);
  expect(readRcu(fake.kernel, [0, 1, 2, 3], [])[0]?.leavesWhole).toBe(false);
});
