import { expect, test } from "vitest";
import { virtual } from "../../bytes/address.ts";
import { smallKernel } from "../../kernel/testing/small-kernel.ts";
import type { FaultCase } from "../fault/fault-case.ts";
import type { OriginStep } from "../fault/origin-step.ts";
import { faultTold } from "./fault-told.ts";

const step = (kind: OriginStep["kind"], value: bigint, text: string, more: Partial<OriginStep> = {}): OriginStep => ({
  kind,
  level: 0,
  function: "f",
  place: "f+0x1",
  value,
  text,
  ...more,
});

function fault(value: bigint, present: boolean | undefined, ...steps: OriginStep[]): FaultCase {
  const kernel = smallKernel({});
  const address = BigInt.asUintN(64, value + 8n);
  return {
    kernel,
    state: { kind: present === undefined ? "general protection" : "page fault", exception: { present } },
    access: {
      kind: "memory",
      instruction: { address: virtual(0xffff_ffff_8100_0010n), size: 4 },
      culprit: { displacement: 8n },
      address,
    },
    activations: { at: () => ({ function: "f", offset: 0x10, module: "mod" }) },
    guiltyLevel: 0,
    bad: { value, register: "rbx", offset: 8n, identity: { region: "null" }, origin: { value, steps, end: "load" } },
    path: { access: { kind: "write", size: 8 }, address, container: "struct thing", member: "next", offset: 8n },
  } as unknown as FaultCase;
}

test("what the instruction did, why it failed, and where the value came from", () => {
  const load = step("load", 0n, "loaded from (struct box *)rdi->thing [+0x10] at ffff800000001010", {
    load: { size: 8, comparison: "same" },
  });
  expect(faultTold(fault(0n, false, load), false)).toEqual([
    "The instruction at f+0x10 [mod] was to write 8 bytes to 0000000000000008, which is (struct thing *)NULL->next [+0x8]: no page is mapped there.",
    "Its rbx = NULL was loaded from (struct box *)rdi->thing [+0x10] at ffff800000001010, which holds it still.",
  ]);
});

test("poison is called by its name, a page that is there is not said to be missing", () => {
  expect(faultTold(fault(0xdead_0000_0000_0098n, undefined), false)[0]).toContain(
    "LIST_POISON1 - 0x68 (next of an entry that was taken off its list), no address of this machine",
  );
  expect(faultTold(fault(0xffff_8000_0000_0000n, true), false)[0]).toMatch(/: the page there does not allow it\.$/);
});

test("a small negative number is an error's name only where it is taken for an error", () => {
  const value = BigInt.asUintN(64, -48n);
  const sum = step("sum", value, "0 - 0x30, computed at f+0x8");
  expect(faultTold(fault(value, false, sum), false)[1]).toBe("Its rbx = ffffffffffffffd0 is 0 - 0x30, computed at f+0x8.");
  expect(faultTold(fault(BigInt.asUintN(64, -12n), false, step("result", value, "returned by g in f+0x8")), true)[1]).toBe(
    "Its rbx = -ENOMEM was returned by g in f+0x8.",
  );
});

test("a load whose address is lost says so", () => {
  const told = faultTold(fault(0n, false, step("argument", 0n, "passed as x by g+0x1"), step("load", 0n, "loaded from *(?)")), false)[1];
  expect(told).toBe("Its rbx = NULL was passed as x by g+0x1; it had been loaded from memory at an address that is not known any more.");
});

test("a step of a copy, and a check of KASAN before the access", () => {
  const plain = fault(0n, false);
  const copied = { ...plain, path: { ...plain.path, copy: { kind: "copy", done: 48n, total: 256n } } } as unknown as FaultCase;
  expect(faultTold(copied, false)[0]).toContain("[+0x8], 48 bytes into a copy of 256: no page is mapped there.");
  const checked = { ...plain, access: { ...plain.access, shadow: 0xdfff_fc00_0000_0001n } } as unknown as FaultCase;
  expect(faultTold(checked, false)[0]).toBe(
    "KASAN's check at f+0x10 [mod] looked at dffffc0000000001, the shadow of 0000000000000008, which is (struct thing *)NULL->next [+0x8], before the write of 8 bytes there: only kernel memory has a shadow that is mapped.",
  );
});
