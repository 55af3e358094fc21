import { describe, expect, it } from "vitest";
import { virtual } from "../bytes/address.ts";
import { StackMap } from "./stack-map.ts";
import { EXCEPTION_STACKS, FakeStackKernel, IRQ_END, IRQ_STACK, NMI_END } from "./testing/fake-stack-kernel.ts";

const summary = (map: StackMap) => map.areas.map(({ kind, start, end, cpu }) => `${cpu} ${kind} ${start.toString(16)}-${end.toString(16)}`);

describe("the stacks of CPUs", () => {
  it("are found through the per-CPU pointers of x86-64", () => {
    const kernel = new FakeStackKernel("x86_64");
    kernel.addCpuStacks();
    const map = StackMap.of(kernel.kernel);
    expect(summary(map)).toEqual([
      `0 irq ${IRQ_STACK.toString(16)}-${IRQ_END.toString(16)}`,
      `0 double fault ${(EXCEPTION_STACKS + 4096n).toString(16)}-${(EXCEPTION_STACKS + 12288n).toString(16)}`,
      `0 nmi ${(EXCEPTION_STACKS + 16384n).toString(16)}-${NMI_END.toString(16)}`,
    ]);
    expect(map.find(IRQ_STACK)?.kind).toBe("irq");
    expect(map.find(IRQ_END)).toBeUndefined();
    expect(map.find(EXCEPTION_STACKS + 4095n)).toBeUndefined();
  });

  it("take the IRQ stack's top as it is (before 5.12) and less 8 (since)", () => {
    for (const top of [IRQ_END, IRQ_END - 8n]) {
      const kernel = new FakeStackKernel("x86_64");
      kernel.addCpuStacks();
      kernel.memory.put64(kernel.tryAddress("hardirq_stack_ptr") as bigint, top);
      expect(StackMap.of(kernel.kernel).areas[0]).toMatchObject({ kind: "irq", start: IRQ_STACK, end: IRQ_END });
    }
  });

  it("are found for every CPU that has a per-CPU area, and left out where the pointer is missing", () => {
    const kernel = new FakeStackKernel("arm64");
    kernel.addCpuStacks();
    kernel.perCpuOffsets = [virtual(0n), undefined, virtual(0x1000n)];
    kernel.memory.put64((kernel.tryAddress("irq_stack_ptr") as bigint) + 0x1000n, 0n);
    kernel.symbol("overflow_stack", 0xffff_8880_0200_0000n);
    expect(summary(StackMap.of(kernel.kernel))).toEqual([
      `0 irq ${IRQ_STACK.toString(16)}-${IRQ_END.toString(16)}`,
      "0 overflow ffff888002000000-ffff888002001000",
      "2 overflow ffff888002001000-ffff888002002000",
    ]);
  });

  it.each([
    [
      "3.10, five exception stacks",
      [4096n, 8192n, 12288n, 20480n, 24576n],
      ["stack fault", "double fault", "nmi", "debug", "machine check"],
    ],
    ["4.18, four", [4096n, 8192n, 16384n, 20480n], ["double fault", "nmi", "debug", "machine check"]],
  ] as const)("lie in irq_stack_union and below the tops in orig_ist before 5.1: %s", (_name, tops, kinds) => {
    const kernel = new FakeStackKernel("x86_64");
    kernel.symbol("irq_stack_union", IRQ_STACK);
    kernel.symbol("irq_stack_ptr", IRQ_STACK + 0x8000n);
    kernel.memory.put64(IRQ_STACK + 0x8000n, IRQ_STACK + 16384n - 64n);
    kernel.symbol("orig_ist", IRQ_STACK + 0x9000n);
    tops.forEach((top, i) => {
      kernel.memory.put64(IRQ_STACK + 0x9000n + BigInt(i * 8), EXCEPTION_STACKS + top);
    });
    const starts = [0n, ...tops];
    expect(summary(StackMap.of(kernel.kernel))).toEqual([
      `0 irq ${IRQ_STACK.toString(16)}-${(IRQ_STACK + 16384n).toString(16)}`,
      ...kinds.map((kind, i) => {
        const [start, end] = [starts[i], starts[i + 1]].map((offset) => (EXCEPTION_STACKS + (offset as bigint)).toString(16));
        return `0 ${kind} ${start}-${end}`;
      }),
    ]);
  });
});
