import { expect, it } from "vitest";
import { virtual } from "../bytes/address.ts";
import { isFtraceSite } from "./ftrace.ts";
import { FakeKernel } from "./testing/fake-kernel.ts";

const AT = 0xffff_8880_0001_0000n;
const TEXT = 0xffff_ffff_8100_0000n;

/** Two groups of records, the second past a page group without any. */
function build(): FakeKernel {
  const kernel = new FakeKernel({
    ftrace_page: { next: [0, "u64"], records: [8, "u64"], index: [16, "s32"] },
    dyn_ftrace: { ip: [0, "u64"], flags: [8, "u64"] },
  });
  kernel.symbol("ftrace_pages_start", AT);
  kernel.memory.put64(AT, AT + 0x100n);
  const group = (at: bigint, next: bigint, records: bigint, sites: readonly bigint[]) => {
    kernel.memory.put64(at, next);
    kernel.memory.put64(at + 8n, records);
    kernel.memory.put32(at + 16n, sites.length);
    sites.forEach((site, i) => {
      kernel.memory.put64(records + BigInt(i) * 16n, site);
    });
  };
  group(AT + 0x100n, AT + 0x200n, AT + 0x1000n, [TEXT + 4n, TEXT + 0x44n, TEXT + 0x100n]);
  group(AT + 0x200n, AT + 0x300n, 0n, []);
  group(AT + 0x300n, 0n, AT + 0x2000n, [TEXT + 0x2000n]);
  return kernel;
}

it("finds recorded call sites in every group", () => {
  const { kernel } = build();
  for (const site of [4n, 0x44n, 0x100n, 0x2000n]) expect(isFtraceSite(kernel, virtual(TEXT + site))).toBe(true);
  for (const other of [0n, 5n, 0x45n, 0x101n, 0x1fffn, 0x2001n]) expect(isFtraceSite(kernel, virtual(TEXT + other))).toBe(false);
});

it("is silent without records, and keeps what lies before a damaged link", () => {
  expect(isFtraceSite(new FakeKernel({}).kernel, virtual(TEXT + 4n))).toBe(false);
  const damaged = build();
  damaged.memory.put64(AT + 0x100n, 0xdead_0000n);
  expect(isFtraceSite(damaged.kernel, virtual(TEXT + 0x44n))).toBe(true);
  expect(isFtraceSite(damaged.kernel, virtual(TEXT + 0x2000n))).toBe(false);
});

it("does not run in circles", () => {
  const round = build();
  round.memory.put64(AT + 0x300n, AT + 0x100n);
  expect(isFtraceSite(round.kernel, virtual(TEXT + 4n))).toBe(true);
});
