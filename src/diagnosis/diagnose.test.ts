import { describe, expect, it } from "vitest";
import { RegisterSet } from "../arch/registers.ts";
import { X86_64_REGISTERS } from "../arch/x86-64-registers.ts";
import { virtual } from "../bytes/address.ts";
import { SparseMemory, smallKernel } from "../kernel/testing/small-kernel.ts";
import type { AddressIdentity } from "../linux/address-identity.ts";
import { conclude } from "./conclude.ts";
import type { BadValue, FaultCase } from "./fault/fault-case.ts";
import type { FaultingAccess } from "./fault/faulting-access.ts";
import { FAULT_DETECTORS } from "./fault/index.ts";
import type { OriginStep, ValueOrigin } from "./fault/origin-step.ts";
import { confidenceOf, type Finding } from "./finding.ts";
import type { Subject } from "./subject/subject.ts";

const PC = virtual(0xffff_ffff_8100_0010n);
const MAPPED = 0xffff_8880_0000_1000n;

function step(kind: OriginStep["kind"], value: bigint, more: Partial<OriginStep> = {}): OriginStep {
  return { kind, level: 0, function: "f", place: "f+0x1", value, text: kind, ...more };
}

function origin(...steps: readonly OriginStep[]): ValueOrigin {
  return { value: steps[0]?.value ?? 0n, steps, end: steps.at(-1)?.kind ?? "lost" };
}

interface Given {
  readonly value: bigint;
  /** Added by the operand. */
  readonly offset?: bigint;
  readonly origin?: ValueOrigin;
  readonly region?: AddressIdentity["region"];
  readonly access?: FaultingAccess;
  readonly index?: boolean;
  readonly present?: boolean;
  readonly agrees?: boolean;
}

function faultOf({
  value,
  offset = 8n,
  region = "unknown",
  access,
  index = false,
  present = false,
  agrees = true,
  ...given
}: Given): FaultCase {
  const memory = new SparseMemory();
  memory.write(MAPPED, new Uint8Array(64));
  const kernel = smallKernel({ memory });
  Object.assign(kernel.arch, { stripPointer: (address: bigint) => address, virtualBits: 48 });
  const address = BigInt.asUintN(64, value + offset);
  const part = { register: "rbx", value };
  const bad: BadValue = {
    value,
    register: "rbx",
    level: 0,
    offset,
    identity: { address: virtual(value), region, roles: [] },
    ...(given.origin === undefined ? {} : { origin: given.origin }),
  };
  const guilty = {
    frame: 0,
    pc: PC,
    function: "f.isra.0",
    module: "mod",
    offset: 0x10,
    flow: undefined,
    registers: new Map(),
    cfa: undefined,
    byJump: false,
  };
  const subject = {
    event: { family: "fault", kind: "page fault", text: "BUG: unable to handle page fault", index: 0 },
    before: [],
    after: [],
  } as unknown as Subject;
  const culprit = {
    text: "0x8(%rbx)",
    access: "read",
    size: 8,
    address,
    reach: 0,
    displacement: offset,
    ...(index ? { base: { register: "rax", value: MAPPED }, index: { ...part, scale: 1 } } : { base: part }),
  } as const;
  const instruction = { address: PC, size: 4, valid: true, mnemonic: "mov", flow: "next", operands: [], reads: [], writes: [] } as const;
  return {
    kernel,
    subject,
    state: {
      kind: "page fault",
      source: "exception frame",
      registers: new RegisterSet(X86_64_REGISTERS),
      pc: PC,
      exception: { access: "read", present, user: false, noAddress: false, text: "" },
      checks: [{ what: "the registers are those of the log", agrees }],
      consistent: agrees,
    },
    access: access ?? { kind: "memory", instruction, all: [culprit], culprit, address, checks: [] },
    activations: { at: (level: number) => (level === 0 ? guilty : undefined) } as unknown as FaultCase["activations"],
    values: {} as FaultCase["values"],
    guilty,
    guiltyLevel: 0,
    bad,
    path: { access: { kind: "read", size: 8 }, address },
  };
}

/** The faults' detectors over a case that is given. */
const judge = (fault: FaultCase) => {
  const context = { kernel: fault.kernel, subject: fault.subject, fault: () => fault };
  return conclude(
    context,
    FAULT_DETECTORS.flatMap((detector) => detector.detect(context)),
  );
};
const verdict = (given: Given) => judge(faultOf(given)).verdict;
const fetch = (target: bigint): FaultingAccess => ({ kind: "fetch", target, call: { mnemonic: "call", address: PC } as never, checks: [] });

describe("detectors", () => {
  it("every class has one, and says what it needs and what refutes it", () => {
    expect(new Set(FAULT_DETECTORS.map((each) => each.name)).size).toBe(FAULT_DETECTORS.length);
    for (const each of FAULT_DETECTORS) expect(each.refutedBy.length, each.name).toBeGreaterThan(0);
  });

  it("NULL and a member's offset", () => {
    expect(verdict({ value: 0n })).toMatchObject({
      class: "null-pointer-dereference",
      confidence: "high",
      function: "f",
      module: "mod",
      title: "f [mod] reads 8 bytes at offset 0x8 with rbx = NULL",
    });
    // A structure larger than a page.
    expect(verdict({ value: 0n, offset: 0x4804n }).class).toBe("null-pointer-dereference");
    // A small number may be an index as well.
    expect(verdict({ value: 0x20n })).toMatchObject({ class: "null-pointer-dereference", confidence: "likely" });
    expect(verdict({ value: 0n, offset: 0xffff_0000_0000n }).class).not.toBe("null-pointer-dereference");
  });

  it("is not the base's fault when the index is 0", () => {
    expect(judge(faultOf({ value: 0n, index: true })).alternatives).toMatchObject([
      { class: "null-pointer-dereference", confidence: "unknown", refutedBy: expect.stringContaining("the base rax is an address") },
    ]);
  });

  it("error codes, unless container_of(NULL) made the number", () => {
    const value = BigInt.asUintN(64, -12n);
    const found = judge(faultOf({ value, region: "error pointer", origin: origin(step("result", value, { callee: "make_thing" })) }));
    expect(found.verdict).toMatchObject({
      class: "err-pointer-dereference",
      confidence: "high",
      title: expect.stringContaining("= -ENOMEM"),
    });
    expect(found.story).toContain("make_thing returned the error and nothing checked it with IS_ERR().");
    const computed = judge(faultOf({ value, offset: 12n, region: "error pointer", origin: origin(step("sum", value), step("load", 0n)) }));
    expect(computed.verdict).toMatchObject({ class: "null-pointer-dereference", confidence: "high" });
    expect(computed.alternatives).toMatchObject([{ class: "err-pointer-dereference", refutedBy: "container_of(NULL) made the value" }]);
    // -4000 is no error code that has a name.
    expect(verdict({ value: BigInt.asUintN(64, -4000n), region: "error pointer" }).class).toBe("unknown");
  });

  it("calls of NULL and of what is no code", () => {
    expect(verdict({ value: 0n, offset: 0n, access: fetch(0n) })).toMatchObject({
      class: "null-function-call",
      title: "f [mod] calls a function pointer, which is NULL",
    });
    expect(verdict({ value: MAPPED, offset: 0n, region: "linear map", access: fetch(MAPPED) })).toMatchObject({ class: "wild-call" });
  });

  it("poison of freed memory, and of lists", () => {
    expect(verdict({ value: 0x6b6b_6b6b_6b6b_6b6bn, region: "poison" })).toMatchObject({ class: "use-after-free", confidence: "likely" });
    // LIST_POISON1 + offset of a member
    expect(verdict({ value: 0xdead_0000_0000_0100n, region: "poison" })).toMatchObject({ class: "list-corruption" });
    expect(verdict({ value: 0x5a5a_5a5a_5a5a_5a5an, region: "poison" }).class).toBe("unknown");
  });

  it("pointers to nowhere, and what a page does not allow", () => {
    // Where it came from is not known: something lies behind it that could not be looked at.
    expect(verdict({ value: 0xdead_4ead_1234_5678n, region: "non-canonical" })).toMatchObject({
      class: "wild-pointer",
      confidence: "likely",
    });
    expect(verdict({ value: 0xffff_8880_dead_0000n, region: "linear map" }).class).toBe("wild-pointer");
    // It can be read in the dump: then the address is not what failed.
    const there = judge(faultOf({ value: MAPPED, region: "linear map" }));
    expect(there.verdict.class).toBe("unknown");
    expect(there.alternatives).toMatchObject([{ class: "wild-pointer", refutedBy: expect.stringContaining("is not mapped in the dump") }]);
    expect(verdict({ value: MAPPED, region: "linear map", present: true }).class).toBe("wild-pointer");
  });

  it("says nothing of registers that disagree with the log", () => {
    expect(verdict({ value: 0n, agrees: false })).toMatchObject({ class: "unknown", confidence: "unknown" });
  });
});

describe("confidence", () => {
  const finding = (more: Partial<Finding>): Finding => ({ class: "wild-pointer", title: "", checks: [], story: [], evidence: [], ...more });
  const check = (result: Finding["checks"][number]["result"]) => ({ what: "", result });

  it("follows from the checks", () => {
    expect(confidenceOf(finding({ checks: [check("held")] }))).toBe("high");
    expect(confidenceOf(finding({ checks: [check("held"), check("not possible")] }))).toBe("likely");
    expect(confidenceOf(finding({ checks: [check("not possible"), check("not possible")] }))).toBe("possible");
    expect(confidenceOf(finding({ checks: [check("held"), check("refuted")] }))).toBe("unknown");
  });

  it("is less for a sign that is common where nothing is wrong", () => {
    const baseRate = { what: "", tried: 9, fired: 4 };
    expect(confidenceOf(finding({ baseRate, rarity: true }))).toBe("possible");
    expect(confidenceOf(finding({ baseRate: { ...baseRate, fired: 1 }, rarity: true }))).toBe("high");
    // NULL is a usual value of pointers.
    expect(confidenceOf(finding({ baseRate }))).toBe("high");
  });
});
