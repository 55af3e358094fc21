import { beforeAll, describe, expect, test } from "vitest";
import type { Disassembler } from "../../arch/disassembler.ts";
import { loadDisassembler } from "../../arch/disassembler.ts";
import { registerDisassemblers } from "../../faces/cli/disassemblers.ts";
import { codeOrigin } from "./code-origin.ts";
import { reportsIn } from "./find-reports.ts";
import type { LogReport } from "./report.ts";

let x86: Disassembler;
beforeAll(async () => {
  registerDisassemblers();
  x86 = await loadDisassembler("x86_64");
});

const oops = (code: string): LogReport =>
  reportsIn(`[   10.000000] BUG: unable to handle kernel paging request at 0000000400080040
[   10.000001] Oops: 0000 [#1] SMP
[   10.000002] RIP: 0010:widget_poll+0x15/0x130
[   10.000003] Code: ${code}
[   10.000004] RSP: 0018:ffff957075d83d20 EFLAGS: 00010202
[   10.000005] RAX: 0000000400080040 RBX: ffff956fdfa56118 RCX: 0000000000000001
[   10.000006] RDX: 0000000000000002 RSI: ffff956fdfa56118 RDI: ffff956fbcf3aa80
[   10.000007] Call Trace:
[   10.000008]  widget_read+0x1/0x2
[   10.000009] ---[ end trace 0000000000000000 ]---`)[0] as LogReport;

describe("where the base was loaded from", () => {
  test("the last load before the instruction, and its address while the base is the same", () => {
    // mov 0x840(%rdi),%rax; test %rax,%rax; je; mov (%rax),%rdi
    const found = codeOrigin(oops("0f 1f 80 00 00 00 00 48 8b 87 40 08 00 00 48 85 c0 0f 84 e4 00 00 00 <48> 8b 38 31 c0"), x86, "rax");
    expect(found).toEqual({ register: "rax", value: 0x400080040n, formula: "rdi+0x840", base: "rdi", address: 0xffff956fbcf3b2c0n });
  });
  test("no address when the base was written since: mov 0x8(%rax),%rax", () => {
    const found = codeOrigin(oops("0f 1f 80 00 00 00 00 48 8b 40 08 <48> 8b 38 31 c0"), x86, "rax");
    expect(found).toMatchObject({ formula: "rax+0x8" });
    expect(found?.address).toBeUndefined();
  });
  test("nothing when a call gave the value, or control may come from elsewhere", () => {
    expect(codeOrigin(oops("48 8b 87 40 08 00 00 e8 00 00 00 00 <48> 8b 38 31 c0"), x86, "rax")).toBeUndefined();
    // je over the load
    expect(codeOrigin(oops("48 85 ff 74 07 48 8b 87 40 08 00 00 <48> 8b 38 31 c0"), x86, "rax")).toBeUndefined();
  });
});
