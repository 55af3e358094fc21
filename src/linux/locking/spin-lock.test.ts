import { describe, expect, test } from "vitest";
import { FakeKernel } from "../testing/fake-kernel.ts";
import { decodeQueuedSpinLock, isWaitedFor, waitsUnqueued } from "./spin-lock.ts";

describe("queued spinlocks", () => {
  test("the queue's end names a CPU and what it did", () => {
    expect(decodeQueuedSpinLock((3 << 18) | (1 << 16) | 1, 4)).toEqual({
      value: (3 << 18) | (1 << 16) | 1,
      locked: true,
      pending: false,
      tail: { cpu: 2, context: "softirq" },
      plausible: true,
    });
  });

  test("one CPU waits without a queue", () => {
    expect(decodeQueuedSpinLock(0x101, 4)).toMatchObject({ locked: true, pending: true, tail: undefined, plausible: true });
  });

  test.each([
    ["held by somebody and wanted by nobody", 1, false],
    ["wanted by one", 0x101, true],
    ["queued for", (1 << 18) | 1, true],
    ["queued for after its holder has gone", 1 << 18, true],
  ])("%s", (_, word, waited) => {
    expect(isWaitedFor(decodeQueuedSpinLock(word, 4))).toBe(waited);
  });

  test("free is all zero", () => {
    expect(decodeQueuedSpinLock(0, 1)).toMatchObject({ locked: false, pending: false, plausible: true });
  });

  test.each([
    ["a CPU the machine does not have", (6 << 18) | 1],
    ["a lock byte that is none", 0x22],
    ["a pending byte that is none", 0x701],
    ["a nesting without a CPU", (2 << 16) | 1],
  ])("%s makes the word no lock", (_, value) => {
    expect(decodeQueuedSpinLock(value, 4).plausible).toBe(false);
  });

  test("the sign bit is part of the CPU", () => {
    expect(decodeQueuedSpinLock(0xffff_ffff | 0, 16384).tail?.cpu).toBe(0x3ffe);
  });

  test.each([
    ["that has no such slow path", undefined, false],
    ["whose hypervisor has paravirtual spinlocks, or that has none", 0, false],
    ["that a hypervisor runs without them", 1, true],
  ])("a machine %s", (_, enabled, expected) => {
    const kernel = new FakeKernel({ static_key: { type: [8, "u64"], enabled: [0, "u32"] } });
    if (enabled !== undefined) {
      kernel.symbol("virt_spin_lock_key", 0xffff_ffff_8200_0000n);
      kernel.memory.put32(0xffff_ffff_8200_0000n, enabled);
    }
    expect(waitsUnqueued(kernel.kernel)).toBe(expected);
  });
});
