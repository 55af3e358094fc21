import { describe, expect, it } from "vitest";
import { consoleLines, parseFrame, parsePanicReport, parseStack } from "./call-trace.ts";

const X86 = `[    1.0] Linux version 6.1.0
LAB-TRIGGER
[    5.99] lab_fault: trigger null
[    5.99] BUG: kernel NULL pointer dereference, address: 0000000000000008
[    5.99] #PF: supervisor write access in kernel mode
[    5.99] Oops: 0002 [#1] PREEMPT SMP NOPTI
[    5.99] CPU: 1 PID: 1 Comm: init Kdump: loaded Tainted: G           OE      6.1.0-56-cloud-amd64 #1  Debian 6.1.192-2
[    5.99] RIP: 0010:lab_fault_map_segment+0x85/0x93 [lab_fault]
[    5.99] Code: 48 89 c3
[    5.99] Call Trace:
[    5.99]  <TASK>
[    5.99]  lab_fault_queue_request+0x9f/0xb8 [lab_fault]
[    5.99]  ? __handle_mm_fault+0x97b/0xfa0
[    5.99]  entry_SYSCALL_64_after_hwframe+0x6e/0xd8
[    5.99] RIP: 0033:0x4ae3f7
[    5.99]  </TASK>
[    5.99] Modules linked in: lab_fault(OE)
[    5.99] Kernel panic - not syncing: Fatal exception
`;

const ARM64 = `LAB-TRIGGER
[    9.1] Unable to handle kernel NULL pointer dereference at virtual address 0000000000000008
[    9.1] CPU: 0 UID: 0 PID: 1 Comm: init Tainted: G           OE      6.12.117+deb13-cloud-arm64 #1  Debian 6.12.117-1
[    9.1] pc : lab_fault_map_segment+0xa0/0xc8 [lab_fault]
[    9.1] lr : lab_fault_map_segment+0x94/0xc8 [lab_fault]
[    9.1] Call trace:
[    9.1]  lab_fault_map_segment+0xa0/0xc8 [lab_fault] (P)
[    9.1]  el0t_64_sync+0x180/0x184
[    9.1] Code: b9400260 (b9400260)
[    9.1] Kernel panic - not syncing: Oops: Fatal exception
[    0.0] Booting Linux on physical CPU 0x0000000000 [0x411fd083]
[    0.1] pc : other+0x1/0x2
`;

describe("frames", () => {
  it("keep name, offset, size and module", () => {
    expect(parseFrame("[<0>] do_wait+0x1a5/0x2f0")).toEqual({
      name: "do_wait",
      offset: 0x1a5,
      size: 0x2f0,
      module: undefined,
      reliable: true,
    });
    expect(parseFrame(" ? __pfx_x.constprop.0+0x0/0x10 [nf_tables 1234]")).toMatchObject({ module: "nf_tables", reliable: false });
    expect(parseFrame("Code: 48 89")).toBeUndefined();
  });

  it("of a stack file come in order", () => {
    expect(parseStack("[<0>] a+0x1/0x2\n[<0>] b+0x3/0x4\n").map((frame) => frame.name)).toEqual(["a", "b"]);
  });
});

describe("panic reports", () => {
  it("of x86-64", () => {
    const report = parsePanicReport(X86);
    expect(report).toMatchObject({
      cpu: 1,
      pid: 1,
      comm: "init",
      reason: "Fatal exception",
      instruction: { name: "lab_fault_map_segment", offset: 0x85 },
    });
    expect(report.headline).toContain("NULL pointer");
    expect(report.trace.map((frame) => frame.name)).toEqual([
      "lab_fault_queue_request",
      "__handle_mm_fault",
      "entry_SYSCALL_64_after_hwframe",
    ]);
    expect(report.trace[1]?.reliable).toBe(false);
  });

  it("of arm64, without what a crash kernel says after it", () => {
    const report = parsePanicReport(ARM64);
    expect(report).toMatchObject({ cpu: 0, comm: "init", reason: "Oops: Fatal exception" });
    expect(report.trace.map((frame) => frame.name)).toEqual(["lab_fault_map_segment", "el0t_64_sync"]);
    expect(consoleLines(ARM64)).not.toContain("pc : other+0x1/0x2");
  });
});
