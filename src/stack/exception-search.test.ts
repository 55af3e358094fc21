import { describe, expect, it } from "vitest";
import { findExceptionFrames } from "./exception-search.ts";
import { taskStack } from "./task-stack.ts";
import { FakeStackKernel, STACK, STACK_END, TASK, x86PtRegs } from "./testing/fake-stack-kernel.ts";

describe("a search for saved registers", () => {
  function search(kernel: FakeStackKernel) {
    return findExceptionFrames(kernel.kernel, taskStack(kernel.kernel, TASK)).map(
      ({ address, user }) => `${(address - STACK).toString(16)}${user ? " user" : ""}`,
    );
  }

  it("finds kernel and user registers of x86-64 by their look", () => {
    const kernel = new FakeStackKernel("x86_64");
    const code = kernel.define("code");
    kernel.words(STACK + 0x100n, ...x86PtRegs({ ip: code + 4n, sp: STACK + 0x800n }));
    kernel.words(STACK_END - 168n, ...x86PtRegs({ ip: 0x401000n, sp: 0x7fff_0000n, user: true }));
    expect(search(kernel)).toEqual(["100", "3f58 user"]);
  });

  it("passes over a pc in no code, flags that no CPU has, a stack pointer that is none", () => {
    const kernel = new FakeStackKernel("x86_64");
    const code = kernel.define("code");
    kernel.words(STACK + 0x100n, ...x86PtRegs({ ip: 0x1234n, sp: STACK + 0x800n }));
    kernel.words(STACK + 0x400n, ...x86PtRegs({ ip: code, sp: STACK + 0x801n }));
    kernel.words(STACK + 0x800n, ...x86PtRegs({ ip: code, sp: STACK + 0x800n }));
    kernel.memory.put64(STACK + 0x800n + 144n, 0x244n);
    expect(search(kernel)).toEqual([]);
  });

  it("finds what a jump to nowhere left, right below its own stack pointer", () => {
    const kernel = new FakeStackKernel("x86_64");
    kernel.words(STACK + 0x108n, ...x86PtRegs({ ip: 0n, sp: STACK + 0x1b8n }));
    kernel.words(STACK + 0x400n, ...x86PtRegs({ ip: 0n, sp: STACK + 0x4c8n }));
    expect(search(kernel)).toEqual(["108"]);
  });

  it("finds kernel registers of arm64 anywhere and user registers only at the stack's end", () => {
    const kernel = new FakeStackKernel("arm64");
    const code = kernel.define("code");
    for (const at of [0x100n, 0x1000n, 16384n - 336n]) kernel.words(STACK + at + 248n, 0xffff_0000n, 0x401000n, 0x8000_0000n);
    kernel.words(STACK + 0x2000n + 248n, STACK + 0x3000n, code, 0x6000_0005n);
    expect(search(kernel)).toEqual(["2000", "3eb0 user"]);
    // No frame pointer of the kernel, and a mode the kernel never runs in.
    kernel.words(STACK + 0x2000n + 29n * 8n, 0xffff_ffff_ffffn);
    expect(search(kernel)).toEqual(["3eb0 user"]);
    kernel.words(STACK + 0x2000n + 29n * 8n, STACK + 0x3000n);
    expect(search(kernel)).toEqual(["2000", "3eb0 user"]);
    kernel.words(STACK + 0x2000n + 264n, 0x6000_0004n);
    expect(search(kernel)).toEqual(["3eb0 user"]);
  });
});
