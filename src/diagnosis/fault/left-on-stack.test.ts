import { beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { loadDisassembler } from "../../arch/disassembler.ts";
import { RegisterSet } from "../../arch/registers.ts";
import { X86_64_REGISTERS } from "../../arch/x86-64-registers.ts";
import { registerDisassemblers } from "../../faces/cli/disassemblers.ts";
import { HELPER, kernelWith, TEXT } from "../../type-flow/testing/composed-function.ts";
import type { FaultCase } from "./fault-case.ts";
import { leftOnStack, leftOnStackText } from "./left-on-stack.ts";

const STACK = { start: 0xffff_c900_0001_0000n, end: 0xffff_c900_0001_4000n };
/** The innermost frame's stack pointer, and its caller's. */
const INNER = STACK.start + 0x3000n;
const OUTER = STACK.start + 0x3100n;
const TASK = { address: 0xffff_8880_0000_1000n, pid: 7, comm: "reader" };

const world = vi.hoisted(() => ({ frames: [] as unknown[] }));
vi.mock("./try-identify.ts", () => ({ tryIdentify: () => ({ roles: [{ kind: "task stack", task: TASK }] }) }));
vi.mock("../../stack/unwind.ts", () => ({ unwindTask: () => ({ frames: world.frames }) }));

/** `call` to HELPER, 0x400 behind, from TEXT. */
const CALLS = "e8fb030000 call\nc3 ret";
const CALLS_BY_POINTER = "ffd0 call *%rax\nc3 ret";
const CALLS_NOTHING = "4889f8 mov %rdi,%rax\nc3 ret";

beforeAll(async () => {
  registerDisassemblers();
  await loadDisassembler("x86_64");
});

function frame(name: string, pc: bigint, sp: bigint, exception?: bigint) {
  const registers = new RegisterSet(X86_64_REGISTERS);
  registers.set(X86_64_REGISTERS.names.indexOf("rsp"), sp);
  return {
    function: name,
    module: undefined,
    pc,
    certainty: "exact",
    kind: "frame",
    stack: STACK,
    registers,
    exception: exception === undefined ? undefined : { address: exception },
  };
}

function left(address: bigint, code: string, comparison = "same") {
  const kernel = kernelWith("x86_64", code, { symbols: { helper: [HELPER, "T"] } });
  const bad = { origin: { steps: [{ load: { address, comparison } }] } };
  return leftOnStack({ kernel, bad, state: {}, subject: {} } as unknown as FaultCase);
}

describe("an object on a stack whose function is gone", () => {
  beforeEach(() => {
    world.frames = [frame("__schedule", 0xffff_ffff_8180_0000n, INNER), frame("f", TEXT, OUTER)];
  });

  it("lies below everything that the task has there", () => {
    const found = left(INNER - 0x40n, CALLS);
    expect(found).toMatchObject({ pid: 7, comm: "reader", where: "below everything that the task has on its stack" });
    expect(found && leftOnStackText(found)).toBe(
      "ffffc90000012fc0 lies on the stack of task 7 (reader), below everything that the task has on its stack",
    );
  });

  it("lies in the frame of a function that cannot have linked it", () => {
    expect(left(OUTER + 0x20n, CALLS_NOTHING)).toMatchObject({ where: "in the frame of f, which calls nothing that could have linked it" });
  });

  it("may be live in the frame of one that calls others", () => {
    expect(left(OUTER + 0x20n, CALLS)).toBeUndefined();
    expect(left(OUTER + 0x20n, CALLS_BY_POINTER)).toBeUndefined();
  });

  it("is not told of a task that ran, whose frames are of later", () => {
    world.frames = [frame("f", TEXT, INNER)];
    expect(left(INNER - 0x40n, CALLS_NOTHING)).toBeUndefined();
  });

  it("is not told where memory has changed since the value was read", () => {
    expect(left(INNER - 0x40n, CALLS, "different")).toBeUndefined();
  });
});
