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
});
