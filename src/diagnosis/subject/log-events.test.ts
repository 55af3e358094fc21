import { describe, expect, it } from "vitest";
import type { LogRecord } from "../../linux/log-record.ts";
import { logEvents } from "./log-events.ts";
import { logFacts } from "./log-facts.ts";
import { chooseEvent } from "./subject.ts";

/** One record a line; `T1| text` gives the caller, `12.5| text` the time. */
function records(text: string): LogRecord[] {
  return text
    .trim()
    .split("\n")
    .map((line, sequence) => {
      const [, time, caller, rest = line] = /^(?:([\d.]+) )?(?:([TC]\d+))?\| (.*)$/.exec(line.trim()) ?? [];
      const nanoseconds = BigInt(Math.round(Number(time ?? sequence) * 1e9));
      return { sequence, nanoseconds, level: 1, facility: 0, caller, comm: undefined, text: rest, dictionary: [] };
    });
}

const kinds = (text: string) => logEvents(records(text)).map(({ kind }) => kind);
const subject = (text: string) => chooseEvent(logEvents(records(text)));

const LIST = `
| list_del corruption. next->prev should be ff4809fd0253c490, but was ff4809fd0253b680. (next=ff4809fd0253ceb0)
| ------------[ cut here ]------------
| kernel BUG at lib/list_debug.c:62!
| invalid opcode: 0000 [#1] PREEMPT SMP NOPTI
| ---[ end trace 0000000000000000 ]---
| Kernel panic - not syncing: Fatal exception`;

describe("events", () => {
  it("knows heads of both machines with their addresses", () => {
    const heads: readonly (readonly [string, string, bigint | undefined])[] = [
      ["BUG: kernel NULL pointer dereference, address: 0000000000000008", "page fault", 8n],
      ["BUG: unable to handle page fault for address: ffffc90000400000", "page fault", 0xffff_c900_0040_0000n],
      ["BUG: unable to handle kernel NULL pointer dereference at 0000000000000804", "page fault", 0x804n],
      ["BUG: unable to handle kernel paging request at ffff8800dead0000", "page fault", 0xffff_8800_dead_0000n],
      ["Unable to handle kernel paging request at virtual address dead000000000108", "page fault", 0xdead_0000_0000_0108n],
      [
        "general protection fault, probably for non-canonical address 0x6b6b6b6b6b6b6b6b: 0000 [#1] SMP",
        "general protection",
        0x6b6b_6b6b_6b6b_6b6bn,
      ],
      ["general protection fault: 0000 [#1] SMP", "general protection", undefined],
      [
        "Oops: general protection fault, probably for non-canonical address 0x6b6b6b6b6b6b6b6b: 0000 [#1] SMP",
        "general protection",
        0x6b6b_6b6b_6b6b_6b6bn,
      ],
      ["Oops: divide error: 0000 [#1] SMP NOPTI", "divide error", undefined],
      ["Oops: Oops: 0002 [#1] SMP", "other exception", undefined],
      ["BUG lab_widget (Tainted: G           OE     ): Right Redzone overwritten", "slub", undefined],
      ["BUG: KASAN: slab-use-after-free in f+0x1/0x2", "kasan", undefined],
      ["refcount_t: underflow; use-after-free.", "refcount", undefined],
      ["watchdog: BUG: soft lockup - CPU#1 stuck for 22s! [lab:100]", "soft lockup", undefined],
    ];
    for (const [text, kind, address] of heads)
      expect(logEvents(records(`| ${text}`)), text).toMatchObject([{ kind, ...(address === undefined ? {} : { address }) }]);
  });

  it("takes lines that go on with a report for no events of their own", () => {
    expect(kinds(LIST)).toEqual(["list", "panic"]);
    expect(kinds("| BUG: kernel NULL pointer dereference, address: 0000000000000008\n| Oops: Oops: 0002 [#1] SMP")).toEqual(["page fault"]);
    // Behind the report's end it is another one.
    expect(
      kinds("| BUG: kernel NULL pointer dereference, address: 0000000000000008\n| ---[ end trace 1 ]---\n| Oops: 0002 [#2] SMP"),
    ).toEqual(["page fault", "other exception"]);
  });

  it("takes the exception of BUG() for its end, with and without the word of 6.10", () => {
    expect(kinds("| kernel BUG at a.c:1!\n| Oops: invalid opcode: 0000 [#1] SMP")).toEqual(["bug"]);
    expect(kinds("| kernel BUG at a.c:1!\n| invalid opcode: 0000 [#1] SMP")).toEqual(["bug"]);
  });

  it("keeps the reports of two contexts apart", () => {
    expect(kinds("T1| kernel BUG at a.c:1!\nT2| invalid opcode: 0000 [#1]\nT1| invalid opcode: 0000 [#2]")).toEqual([
      "bug",
      "invalid opcode",
    ]);
  });

  it("finds nothing in what programs and drivers say", () => {
    expect(
      kinds("| traps: a.out[12] general protection fault ip:1 sp:2 error:0\n| BUG compatibility mode on\n| lab_fault: trigger null"),
    ).toEqual([]);
  });
});

describe("heads that only the table of reports in text has", () => {
  it("are events by the family of their report", () => {
    expect(logEvents(records("| BUG: spinlock bad magic on CPU#1, feeder/2"))).toMatchObject([{ kind: "locking", family: "warning" }]);
    expect(logEvents(records("| BUG: Bad page cache in process feeder  pfn:12345"))).toMatchObject([{ kind: "page state" }]);
    expect(kinds('| audit: type=1400 comm="BUG: KASAN: x in y"\n| EXT4-fs (sda1): mounted filesystem')).toEqual([]);
  });
});

describe("the subject", () => {
  it("is what was found first, not the panic", () => {
    expect(subject(LIST).event?.kind).toBe("list");
    expect(subject(LIST).after.map(({ kind }) => kind)).toEqual(["panic"]);
  });

  it("is damage before a crash that somebody asked for", () => {
    const found = subject(
      "| BUG kmalloc-64 (Not tainted): Poison overwritten\n| sysrq: Trigger a crash\n| Kernel panic - not syncing: sysrq triggered crash",
    );
    expect(found.event?.kind).toBe("slub");
    expect(found.deliberate?.kind).toBe("sysrq");
  });

  it("is the request where nothing else is wrong", () => {
    const found = subject("| sysrq: Trigger a crash\n| BUG: kernel NULL pointer dereference, address: 0000000000000000\n| Oops: 0002 [#1]");
    expect(found.event?.family).toBe("deliberate");
  });

  it("is no warning of long before", () => {
    const found = subject(
      "1.0 | WARNING: CPU: 0 PID: 1 at a.c:1 f+0x1/0x2\n90.0 | BUG: kernel NULL pointer dereference, address: 0000000000000008",
    );
    expect(found.event?.kind).toBe("page fault");
    expect(found.before).toHaveLength(1);
    const soon = subject(
      "1.0 T5| WARNING: CPU: 0 PID: 1 at a.c:1 f+0x1/0x2\n1.2 T5| BUG: kernel NULL pointer dereference, address: 0000000000000008",
    );
    expect(soon.event?.kind).toBe("warning");
  });
});

describe("the CPU's state", () => {
  it("is that of a fault right behind a warning of the same task", () => {
    const both =
      "1.0 T5| WARNING: CPU: 0 PID: 1 at lib/string_helpers.c:1032 __fortify_report+0x54/0x68\n1.1 T5| kernel BUG at lib/string_helpers.c:1040!";
    expect(subject(both).event?.kind).toBe("warning");
    expect(subject(both).after.map(({ kind }) => kind)).toEqual(["bug"]);
  });
});

describe("facts of a report", () => {
  it("x86-64", () => {
    const all = records(`
| BUG: kernel NULL pointer dereference, address: 0000000000000008
| #PF: error_code(0x0002) - not-present page
| CPU: 1 UID: 0 PID: 214 Comm: a b Tainted: G           OE      6.12.0 #1
| RIP: 0010:lab_irq_account+0x5/0x10 [lab_irq]
| Code: Unable to access opcode bytes at 0xffffffffc02aafeb.
| RSP: 0018:ff70abdb00100fa8 EFLAGS: 00000046
| RAX: 0000000000000028 RBX: ffffffffc02ad580 RCX: 0000000000000003
| R10: ffffffffb0eb4068 R08: 0000000000000001 R09: 0000000000000002
| CR2: ffffffffc02aafeb CR3: 000000000222e000 CR4: 0000000000751ef0
| RIP: 0033:0x4ae3f7
| RAX: ffffffffffffffda RBX: 0000000000000001 RCX: 0000000000000001`);
    const facts = logFacts(all, logEvents(all)[0] as never);
    expect(facts).toMatchObject({ address: 8n, errorCode: 2n, cpu: 1, pid: 214, comm: "a b", codeUnreadable: true });
    expect(facts.code).toEqual({ name: "lab_irq_account", offset: 5, size: 16, module: "lab_irq" });
    expect(facts.registers.get("rax")).toBe(0x28n);
    expect(facts.registers.get("r8")).toBe(1n);
    expect(facts.registers.get("rsp")).toBe(0xff70_abdb_0010_0fa8n);
  });

  it("takes no registers of user mode for the fault's", () => {
    const all = records("| BUG: KASAN: slab-out-of-bounds in f+0x1/0x2\n| RIP: 0033:0x4ae3f7");
    expect(logFacts(all, logEvents(all)[0] as never).code).toBeUndefined();
  });

  it("arm64", () => {
    const all = records(`
| Unable to handle kernel NULL pointer dereference at virtual address 0000000000000000
|   ESR = 0x0000000096000006
| Internal error: Oops: 0000000096000006 [#1] SMP
| CPU: 0 PID: 1 Comm: init Tainted: G           OE     5.10.0 #1
| pstate: 40000005 (nZcv daif -PAN -UAO -TCO BTYPE=--)
| pc : lab_fault_map_segment+0xa0/0xc8 [lab_fault]
| lr : lab_fault_map_segment+0x60/0xc8 [lab_fault]
| sp : ffff80001002bbf0
| x29: ffff80001002bbf0 x28: ffff700c41debd00
| x9 : 0000000000000009`);
    const facts = logFacts(all, logEvents(all)[0] as never);
    expect(facts).toMatchObject({ address: 0n, errorCode: 0x9600_0006n, pid: 1, code: { name: "lab_fault_map_segment", offset: 0xa0 } });
    expect([...facts.registers.keys()]).toEqual(["pstate", "sp", "x29", "x28", "x9"]);
  });

  it("does not take a process's word for the kernel's", () => {
    const written = records("12 | BUG: kernel NULL pointer dereference, address: 0000000000000008").map((each) => ({
      ...each,
      facility: 1,
    }));
    expect(logEvents(written)).toEqual([]);
  });

  it("does not take a device that was lost for what the kernel died of", () => {
    const lost = "11 | pcieport 0000:00:03.0: PCIe Bus Error: severity=Uncorrected (Fatal), type=Transaction Layer, (Requester ID)";
    expect(logEvents(records(lost))).toEqual([]);
  });

  it("takes the first of stalls that are reported one after the other", () => {
    const hung = (time: number, pid: number) => `${time} | INFO: task lab:${pid} blocked for more than 3 seconds.`;
    const chosen = subject(
      [
        hung(12, 7),
        hung(12.1, 8),
        "13 | watchdog: BUG: soft lockup - CPU#1 stuck for 22s! [x:9]",
        "14 | Kernel panic - not syncing: x",
      ].join("\n"),
    );
    expect(chosen.event?.text).toContain("lab:7");
    expect(chosen.before).toEqual([]);
    expect(subject([hung(12, 7), hung(900, 8)].join("\n")).event?.text).toContain("lab:8");
  });
});
