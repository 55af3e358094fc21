import { beforeAll, describe, expect, it } from "vitest";
import { loadDisassembler } from "../arch/disassembler.ts";
import { virtual } from "../bytes/address.ts";
import { registerDisassemblers } from "../faces/cli/disassemblers.ts";
import { SparseMemory } from "../kernel/testing/small-kernel.ts";
import { type ControlFlow, controlFlowOf, thunkRegister } from "./control-flow.ts";
import { bytesOf, kernelWith, TEXT } from "./testing/composed-function.ts";

beforeAll(async () => {
  registerDisassemblers();
  await loadDisassembler("x86_64");
});

/** `first instruction's offset → those of the blocks it leads to`. */
const ways = ({ blocks, instructions }: ControlFlow) => {
  const start = (block: number) => (instructions[blocks[block]?.first ?? -1]?.address ?? 0n) - TEXT;
  return blocks.map(({ to }, block) => `${start(block)}: ${to.map((each) => start(each)).join(" ")}`.trim());
};

describe("blocks of a function", () => {
  it("end at jumps and begin at their targets", () => {
    const code = `
4885ff  test   %rdi,%rdi
7405    je     a
48ffc7  inc    %rdi
ebf6    jmp    0
c3      ret
cc      int3`;
    expect(ways(controlFlowOf(kernelWith("x86_64", code), TEXT))).toEqual(["0: 5 10", "5: 0", "10:", "11:"]);
  });

  it("go on behind a trap and a call, not behind a call that never returns", () => {
    const code = `
0f0b        ud2
e8f9030000  call   helper
e8f4030000  call   helper
c3          ret`;
    expect(ways(controlFlowOf(kernelWith("x86_64", code), TEXT))).toEqual(["0:"]);
    const dying = kernelWith("x86_64", code, { symbols: { helper: [TEXT + 0x500n, "T"], panic: [TEXT + 0x400n, "T"] } });
    expect(ways(controlFlowOf(dying, TEXT))).toEqual(["0:", "7:", "12:"]);
  });

  it("include the unlikely part that is jumped to", () => {
    const memory = new SparseMemory().write(
      TEXT + 0x200n,
      bytesOf(`
90          nop
e9fefdffff  jmp    4`),
    );
    const code = `
85f6          test   %esi,%esi
0f85f8010000  jne    cold
c3            ret`;
    const kernel = kernelWith("x86_64", code, { memory, symbols: { "f.cold": [TEXT + 0x200n, "t"], behind: [TEXT + 0x206n, "t"] } });
    const flow = controlFlowOf(kernel, TEXT);
    expect(flow.parts.map(({ name }) => name)).toEqual(["f", "f.cold"]);
    expect(ways(flow)[0]).toBe("0: 8 512");
    // From an address in the unlikely part it is the same function.
    expect(controlFlowOf(kernel, virtual(TEXT + 0x201n)).parts[0]?.start).toBe(TEXT);
  });

  it("tell a jump through a table from a call at the end", () => {
    const table = kernelWith("x86_64", "ff24f500000082 jmp *table(,%rsi,8)\nc3 ret");
    expect(controlFlowOf(table, TEXT).tables).toEqual([0]);
    expect(controlFlowOf(table, TEXT).blocks.every(({ from }) => from.includes(-1))).toBe(true);
    const tail = kernelWith("x86_64", "488b4728 mov 0x28(%rdi),%rax\nffe0 jmp *%rax\nc3 ret");
    expect(controlFlowOf(tail, TEXT).tables).toEqual([]);
  });

  it("thunks tell their register", () => {
    expect(thunkRegister("__x86_indirect_thunk_r11")).toBe("r11");
    expect(thunkRegister("__x86_indirect_thunk_array")).toBe("rax");
    expect(thunkRegister("__x86_return_thunk")).toBeUndefined();
  });

  it("refuses a function beyond reason", () => {
    const memory = new SparseMemory();
    const kernel = kernelWith("x86_64", "c3 ret", {
      memory,
      symbols: { padding: [TEXT + 0x40000n, "t"], helper: [TEXT + 0x50000n, "t"], end: [TEXT + 0x60000n, "t"] },
    });
    expect(() => controlFlowOf(kernel, TEXT)).toThrow(/f has 262144 bytes/);
  });
});
