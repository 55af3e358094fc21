import { describe, expect, it } from "vitest";
import { RegisterSet } from "../../../arch/registers.ts";
import { X86_64_REGISTERS } from "../../../arch/x86-64-registers.ts";
import { virtual } from "../../../bytes/address.ts";
import { INT, pointerTo, SparseMemory, type SymbolSpecs, smallKernel, struct, ULONG, VOID } from "../../../kernel/testing/small-kernel.ts";
import { confidenceOf } from "../../finding.ts";
import type { Subject } from "../../subject/subject.ts";
import type { FaultCase } from "../fault-case.ts";
import type { LoadStep } from "../origin-step.ts";
import { bitFlip } from "./bit-flip.ts";
import { outOfBounds } from "./out-of-bounds.ts";
import { overwrittenPointer } from "./overwritten-pointer.ts";
import { beginsWith, contains } from "./type-confusion.ts";
import { wildPointer } from "./wild-pointer.ts";

const PC = virtual(0xffff_ffff_8100_0010n);
const OBJECT = 0xffff_8880_0000_1000n;
const NEXT = 0xffff_8880_0000_2000n;
const STACK = 0xffff_c900_0000_3000n;

interface Given {
  readonly memory: SparseMemory;
  /** The word at OBJECT, which was loaded and is the bad value. */
  readonly value: bigint;
  readonly load?: Partial<LoadStep>;
  readonly symbols?: SymbolSpecs;
  readonly culprit?: object;
  readonly address?: bigint;
}

function faultOf({ memory, value, load = {}, symbols = {}, culprit = {}, address = value }: Given): FaultCase {
  memory.put(OBJECT, value).put(STACK, 0n);
  const kernel = smallKernel({ memory, symbols });
  Object.assign(kernel.arch, { stripPointer: (each: bigint) => each, virtualBits: 48, pageSize: 4096 });
  const registers = new RegisterSet(X86_64_REGISTERS);
  registers.set(registers.file.names.indexOf("rsp"), STACK);
  const guilty = {
    frame: 0,
    pc: PC,
    function: "f",
    module: "mod",
    offset: 0x10,
    flow: undefined,
    registers: new Map([["rbx", value]]),
    cfa: undefined,
    byJump: false,
  };
  const part = { register: "rbx", value };
  const touched = { text: "(%rbx)", access: "read", size: 8, address, reach: 0, displacement: 0n, base: part, ...culprit } as const;
  const step: LoadStep = { offset: 0n, base: OBJECT, address: OBJECT, size: 8, now: value, comparison: "same", ...load };
  const steps = [{ kind: "load", level: 0, function: "f", place: "f+0x1", value, text: "loaded", load: step } as const];
  return {
    kernel,
    subject: { event: undefined, before: [], after: [] } as unknown as Subject,
    state: { kind: "page fault", source: "exception frame", registers, pc: PC, checks: [], consistent: true },
    access: {
      kind: "memory",
      instruction: { address: PC, size: 4, valid: true, mnemonic: "mov", flow: "next", operands: [], reads: [], writes: [] },
      all: [touched],
      culprit: touched,
      address,
      checks: [],
    } as FaultCase["access"],
    activations: { at: (level: number) => (level === 0 ? guilty : undefined) } as unknown as FaultCase["activations"],
    values: {} as FaultCase["values"],
    guilty,
    guiltyLevel: 0,
    bad: {
      value,
      register: "rbx",
      level: 0,
      offset: 0n,
      identity: { address: virtual(value), region: "non-canonical", roles: [] },
      origin: { value, steps, end: "load" },
    },
    path: { access: { kind: "read", size: 8 }, address },
  };
}

describe("a flipped bit", () => {
  const flipped = NEXT ^ (1n << 44n);

  it("has the next node's back pointer for a witness", () => {
    const memory = new SparseMemory().put(NEXT, 0x1234n).put(NEXT + 8n, OBJECT);
    const found = bitFlip.detect(faultOf({ memory, value: flipped }));
    expect(found).toMatchObject({ class: "bit-flip", depth: "cause" });
    expect(found?.title).toContain("bit 44 is wrong");
    expect(found === undefined ? "" : confidenceOf(found)).toBe("high");
    expect(found?.evidence.at(-2)?.values).toEqual([{ address: NEXT + 8n, value: OBJECT }]);
  });

  it("is found by that witness when the node itself is lost", () => {
    const memory = new SparseMemory().put(NEXT, 0x1234n).put(NEXT + 8n, OBJECT);
    const { address: _, base: __, now: ___, ...lost } = { offset: 0n, base: OBJECT, address: OBJECT, now: flipped };
    const fault = faultOf({ memory, value: flipped });
    const step = fault.bad?.origin?.steps[0];
    Object.assign(step ?? {}, { load: { ...lost, size: 8, comparison: "address unknown", container: "struct node", member: "list.next" } });
    expect(bitFlip.detect(fault)?.object).toMatchObject({ type: "struct node", member: "list.next", address: OBJECT });
  });

  it("has another copy of the pointer for one, on the stack or beside it", () => {
    const beside = new SparseMemory().put(NEXT, 0n).put(OBJECT + 0x30n, NEXT);
    expect(bitFlip.detect(faultOf({ memory: beside, value: flipped }))?.title).toContain("bit 44");
    const memory = new SparseMemory().put(NEXT, 0n).put(STACK + 0x40n, NEXT);
    expect(bitFlip.detect(faultOf({ memory, value: flipped }))?.title).toContain("bit 44");
  });

  it("is not told by a mapped address alone, nor of what is not in memory any more", () => {
    const memory = () => new SparseMemory().put(NEXT, 0n).put(NEXT + 8n, 0n);
    expect(bitFlip.detect(faultOf({ memory: memory(), value: flipped }))).toBeUndefined();
    const listed = memory().put(NEXT + 8n, OBJECT);
    expect(bitFlip.detect(faultOf({ memory: listed, value: flipped, load: { comparison: "changed" } }))).toBeUndefined();
  });

  it("is no NULL with a bit set, and no poison", () => {
    const memory = () => new SparseMemory().put(NEXT, 0n).put(STACK + 0x40n, NEXT);
    expect(bitFlip.detect(faultOf({ memory: memory(), value: 1n << 44n }))).toBeUndefined();
    expect(bitFlip.detect(faultOf({ memory: memory(), value: 0xdead_0000_0000_0100n }))).toBeUndefined();
  });

  it("is refuted when two bits have a witness", () => {
    const other = flipped ^ (1n << 45n);
    const memory = new SparseMemory()
      .put(NEXT, 0n)
      .put(STACK + 0x40n, NEXT)
      .put(other, 0n)
      .put(STACK + 0x48n, other);
    const found = bitFlip.detect(faultOf({ memory, value: flipped }));
    // The other one lies outside of the kernel's half of this machine, or speaks against it.
    if (found !== undefined && smallKernel({}).arch.isKernelAddress(other)) expect(confidenceOf(found)).toBe("unknown");
  });
});

describe("an overwritten pointer", () => {
  const text = "rack-14 at the window, second row";
  const word = [...text.slice(8, 16)].reduceRight((value, letter) => (value << 8n) | BigInt(letter.charCodeAt(0)), 0n);

  it("is text that goes on to both sides", () => {
    const memory = new SparseMemory().text(OBJECT - 8n, text);
    const found = overwrittenPointer.detect(faultOf({ memory, value: word }));
    expect(found).toMatchObject({ class: "overwritten-pointer", depth: "cause" });
    expect(found?.title).toContain('"rack-14 at the window, second ro');
  });

  it("is none when the word stands alone, or memory holds something else now", () => {
    expect(overwrittenPointer.detect(faultOf({ memory: new SparseMemory(), value: word }))).toBeUndefined();
    const memory = new SparseMemory().text(OBJECT - 8n, text);
    const found = overwrittenPointer.detect(faultOf({ memory, value: word, load: { comparison: "changed" } }));
    expect(found === undefined ? "" : confidenceOf(found)).toBe("unknown");
  });
});

describe("out of bounds", () => {
  const TABLE = 0xffff_ffff_8200_0000n;
  const symbols: SymbolSpecs = { table: [TABLE, "d", "mod"], behind: [TABLE + 0x40n, "d", "mod"] };
  const index = (value: bigint) => ({ base: undefined, index: { register: "rcx", value, scale: 8 }, displacement: TABLE });

  it("is an index that leads behind the table", () => {
    const memory = new SparseMemory();
    const address = TABLE + 8n * 100000n;
    const found = outOfBounds.detect(faultOf({ memory, value: 100000n, symbols, culprit: index(100000n), address }));
    expect(found).toMatchObject({ class: "out-of-bounds", depth: "cause", object: { address: TABLE } });
    expect(found?.title).toContain("rcx = 100000");
    expect(found?.title).toContain("the variable table [mod], 64 bytes");
  });

  it("is the number of a bit, which is no wild pointer", () => {
    const value = 0xffff_ffffn;
    const bits = { base: { register: "rdi", value: TABLE }, index: { register: "rbx", value, scale: 1, bits: true } };
    const given = { value, symbols, culprit: bits, address: TABLE + 0x1fff_fff8n };
    expect(wildPointer.detect(faultOf({ memory: new SparseMemory(), ...given }))).toBeUndefined();
    const found = outOfBounds.detect(faultOf({ memory: new SparseMemory(), ...given }));
    expect(found).toMatchObject({ class: "out-of-bounds", object: { address: TABLE } });
    expect(found?.story.join(" ")).toContain("The index in rbx is 4294967295, counted in bits.");
  });

  it("is none within the table", () => {
    const fault = faultOf({ memory: new SparseMemory(), value: 3n, symbols, culprit: index(3n), address: TABLE + 24n });
    expect(outOfBounds.detect(fault)).toBeUndefined();
  });
});

describe("a structure in another", () => {
  const common = struct("sock_common", [
    ["hash", ULONG],
    ["net", pointerTo(VOID)],
  ]);
  const sock = struct("sock", [
    ["common", common],
    ["socket", pointerTo(VOID)],
  ]);
  const tcp = struct("tcp_sock", [
    ["sk", sock],
    ["window", INT],
  ]);
  const request = struct("request_sock", [
    ["common", common],
    ["mss", INT],
  ]);
  const pair = struct("pair", [
    ["id", ULONG],
    ["inner", sock],
  ]);

  it("is found at its place, and as the beginning of a larger one", () => {
    expect(contains(tcp, sock, 0, 0)).toBe(true);
    expect(contains(pair, sock, 8, 0)).toBe(true);
    expect(beginsWith(tcp, sock)).toBe(true);
    expect(beginsWith(tcp, common)).toBe(true);
  });

  it("is not found elsewhere, nor in one that only begins alike", () => {
    expect(contains(pair, sock, 0, 0)).toBe(false);
    expect(contains(request, sock, 0, 0)).toBe(false);
    expect(contains(sock, tcp, 0, 0)).toBe(false);
    expect(beginsWith(request, sock)).toBe(false);
  });
});
