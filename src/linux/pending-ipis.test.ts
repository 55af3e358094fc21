import { beforeEach, expect, test } from "vitest";
import { virtual } from "../bytes/address.ts";
import { pendingCalls, unansweredCalls } from "./pending-ipis.ts";
import { FakeKernel } from "./testing/fake-kernel.ts";

const AREA = (cpu: number) => 0xffff_8880_0010_0000n + BigInt(cpu) * 0x1_0000n;
const QUEUE = 0x100n;
const DATA = 0x200n;
const CSD = 0x300n;
const CALL = (n: number) => 0xffff_8880_0001_0000n + BigInt(n) * 0x100n;

let fake: FakeKernel;
beforeEach(() => {
  fake = new FakeKernel({
    __call_single_data: { node: [0, "__call_single_node"], func: [16, "u64"], info: [24, "u64"] },
    __call_single_node: { llist: [0, "u64"], u_flags: [8, "u32"], src: [12, "u16"], dst: [14, "u16"] },
    call_function_data: { csd: [0, "u64"] },
    irq_work: { node: [0, "bytes16"], func: [16, "u64"] },
    task_struct: { wake_entry: [0x40, "bytes16"] },
  });
  Object.assign(fake, { symbolize: (address: bigint) => `f_${address.toString(16)}` });
  fake.perCpuOffsets = [virtual(AREA(0)), virtual(AREA(1))];
  fake.symbol("call_single_queue", QUEUE);
  fake.symbol("cfd_data", DATA);
  for (const cpu of [0, 1]) fake.memory.write(AREA(cpu), new Uint8Array(4096));
  fake.memory.write(CALL(0), new Uint8Array(4096));
});

test("oldest first, by what the node is in", () => {
  fake.memory.put64(AREA(1) + QUEUE, CALL(3));
  fake.memory.put64(CALL(3), CALL(2));
  fake.memory.put64(CALL(2), CALL(1));
  fake.memory.put32(CALL(1) + 8n, 0x11);
  fake.memory.put16(CALL(1) + 14n, 1);
  fake.memory.put64(CALL(1) + 16n, 0xaan);
  fake.memory.put32(CALL(2) + 8n, 0x20);
  fake.memory.put64(CALL(2) + 16n, 0xbbn);
  fake.memory.put32(CALL(3) + 8n, 0x30);
  const notes: string[] = [];
  expect(pendingCalls(fake.kernel, 1, notes)).toMatchObject([
    { kind: "call", function: "f_aa", from: 0 },
    { kind: "irq work", function: "f_bb" },
    { kind: "wakeup", task: CALL(3) - 0x40n },
  ]);
  expect(notes).toEqual([]);
  expect(pendingCalls(fake.kernel, 0, notes)).toEqual([]);
});

test("a queue that runs in a circle ends", () => {
  fake.memory.put64(AREA(0) + QUEUE, CALL(1));
  fake.memory.put64(CALL(1), CALL(1));
  const notes: string[] = [];
  pendingCalls(fake.kernel, 0, notes);
  expect(notes.join()).toMatch(/circle/);
});

test("a call that is still locked was not run by the other CPU", () => {
  fake.memory.put64(AREA(0) + DATA, CSD);
  fake.memory.put64(AREA(1) + DATA, CSD);
  fake.memory.put32(AREA(1) + CSD + 8n, 1);
  fake.memory.put64(AREA(1) + CSD + 16n, 0xccn);
  expect(unansweredCalls(fake.kernel, 0, [0, 1], [])).toEqual([{ cpu: 1, function: "f_cc" }]);
  // Its own copy is that of another's call to it.
  expect(unansweredCalls(fake.kernel, 1, [0, 1], [])).toEqual([]);
});

test("a queue that cannot be read is not an empty one", () => {
  fake.memory.drop(AREA(1));
  const notes: string[] = [];
  expect(pendingCalls(fake.kernel, 1, notes)).toBeUndefined();
  expect(notes).toHaveLength(1);
});
