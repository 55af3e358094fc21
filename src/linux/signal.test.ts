import { expect, test } from "vitest";
import { virtual } from "../bytes/address.ts";
import { actionFlags, signalName, signalNames, signalsIn, taskSignals } from "./signal.ts";
import { FakeKernel } from "./testing/fake-kernel.ts";

test("names, from both ends of the realtime signals", () => {
  expect([1, 6, 9, 31].map(signalNames)).toEqual(["SIGHUP", "SIGABRT/SIGIOT", "SIGKILL", "SIGSYS/SIGUNUSED"]);
  expect([32, 33, 48, 49, 63, 64].map(signalName)).toEqual([
    "SIGRTMIN",
    "SIGRTMIN+1",
    "SIGRTMIN+16",
    "SIGRTMAX-15",
    "SIGRTMAX-1",
    "SIGRTMAX",
  ]);
});

test("bit 0 of a set is signal 1, bit 63 signal 64", () => {
  expect(signalsIn(0x8000_0000_0000_0101n)).toEqual([1, 9, 64]);
});

test("flags by name", () => {
  expect(actionFlags(0x1400_0004n)).toEqual(["SA_RESTORER", "SA_SIGINFO", "SA_RESTART"]);
});

const TASK = 0xffff_8880_0000_1000n;
const SIGNAL = 0xffff_8880_0000_2000n;
const SIGHAND = 0xffff_8880_0000_3000n;
const ENTRY = 0xffff_8880_0000_5000n;

function kernel(): FakeKernel {
  const fake = new FakeKernel({
    task_struct: { signal: [0, "u64"], sighand: [8, "u64"], blocked: [16, "u64"], pending: [24, "sigpending"], real_cred: [48, "u64"] },
    signal_struct: { nr_threads: [0, "u32"], shared_pending: [8, "sigpending"] },
    sigpending: { list: [0, "bytes16"], signal: [16, "u64"] },
    sighand_struct: { action: [0, "bytes2048"] },
    k_sigaction: { sa: [0, "sigaction"] },
    sigaction: { sa_handler: [0, "u64"], sa_flags: [8, "u64"], sa_mask: [24, "u64"], $size: [32, ""] },
    sigqueue: { list: [0, "bytes16"], flags: [16, "u32"], info: [24, "bytes48"] },
    cred: { user: [0, "u64"] },
    user_struct: { sigpending: [0, "u32"] },
  });
  for (const page of [TASK, SIGNAL, SIGHAND, ENTRY]) fake.memory.write(page, new Uint8Array(4096));
  fake.memory.put64(TASK, SIGNAL);
  fake.memory.put64(TASK + 8n, SIGHAND);
  for (const head of [TASK + 24n, SIGNAL + 8n]) {
    fake.memory.put64(head, head);
    fake.memory.put64(head + 8n, head);
  }
  return fake;
}

test("a task's actions and what waits for it", () => {
  const fake = kernel();
  fake.memory.put64(SIGHAND + 9n * 32n, 0x40_1000n);
  fake.memory.put64(SIGHAND + 9n * 32n + 24n, 0xffn);
  fake.memory.put64(TASK + 24n, ENTRY);
  fake.memory.put64(TASK + 32n, ENTRY);
  fake.memory.put64(ENTRY, TASK + 24n);
  fake.memory.put64(ENTRY + 8n, TASK + 24n);
  fake.memory.put32(ENTRY + 24n, 12);
  fake.memory.put64(TASK + 40n, 1n << 11n);
  const found = taskSignals(fake.kernel, virtual(TASK), []);
  expect(found.actions[9]).toMatchObject({ signal: 10, address: SIGHAND + 9n * 32n, handler: 0x40_1000n, mask: 0xffn });
  expect(found.own).toEqual({ set: 1n << 11n, queue: [{ signal: 12, info: ENTRY + 24n }] });
  expect(found.shared).toEqual({ set: 0n, queue: [] });
});

test("handlers that are gone and a cut queue leave the rest", () => {
  const fake = kernel();
  fake.memory.drop(SIGHAND);
  fake.memory.put64(SIGNAL + 8n, 0n);
  const notes: string[] = [];
  const found = taskSignals(fake.kernel, virtual(TASK), notes);
  expect(found.actions).toEqual([]);
  expect(found.blocked).toBe(0n);
  expect(notes.some((note) => note.includes("sighand_struct"))).toBe(true);
  expect(notes.some((note) => note.includes("shared_pending"))).toBe(true);
});

test("a task that was reaped has neither", () => {
  const fake = kernel();
  fake.memory.put64(TASK, 0n);
  fake.memory.put64(TASK + 8n, 0n);
  expect(taskSignals(fake.kernel, virtual(TASK), [])).toMatchObject({ signal: 0n, threads: undefined, actions: [] });
});
