import { describe, expect, test } from "vitest";
import { CPU, explained, TAIL } from "./testing/explained.ts";

describe("faults", () => {
  test("NULL and a member", () => {
    const { verdict } = explained(
      "BUG: kernel NULL pointer dereference, address: 0000000000000028",
      "#PF: supervisor write access in kernel mode",
      "#PF: error_code(0x0002) - not-present page",
      "Oops: 0002 [#1] SMP",
      CPU,
      "RIP: 0010:widget_poll+0x1c/0x40",
      "Call Trace:",
      " widget_read+0x1/0x2",
      ...TAIL,
    );
    expect(verdict).toMatchObject({
      class: "null-pointer-dereference",
      function: "widget_poll",
      access: { kind: "write" },
      address: 0x28n,
      confidence: "high",
    });
  });
  test("the release behind RHEL's dashes", () => {
    const { context } = explained(
      "BUG: unable to handle kernel NULL pointer dereference at 0000000000000804",
      "Oops: 0000 [#1] SMP",
      "CPU: 3 PID: 3754 Comm: udevd Tainted: G           OE  ------------   3.10.0-327.el7.x86_64 #1",
      "RIP: 0010:[<ffffffffa055c2c7>]  [<ffffffffa055c2c7>] widget_poll+0x37/0x80 [widget]",
      ...TAIL,
    );
    expect(context).toMatchObject({ release: "3.10.0-327.el7.x86_64", taint: "G OE" });
  });
  test("the caller of a helper", () => {
    const { verdict, frames } = explained(
      "BUG: unable to handle page fault for address: ffff888100000000",
      "Oops: 0000 [#1] SMP",
      CPU,
      "RIP: 0010:memcpy_erms+0x6/0x10",
      "Call Trace:",
      " _copy_from_iter+0x1/0x2",
      " widget_fill+0x5/0x60 [widget]",
      ...TAIL,
    );
    expect(verdict).toMatchObject({ class: "wild-pointer", function: "widget_fill", module: "widget" });
    expect(frames.find(({ guilty }) => guilty)?.function).toBe("widget_fill");
  });
  test("poison of lists, with an offset", () => {
    const { verdict } = explained(
      "general protection fault, probably for non-canonical address 0xdead000000000088: 0000 [#1] SMP",
      CPU,
      "RIP: 0010:widget_walk+0x1c/0x40",
      "Call Trace:",
      " widget_read+0x1/0x2",
      ...TAIL,
    );
    expect(verdict).toMatchObject({ class: "use-after-free", function: "widget_walk" });
  });
  test("an error pointer", () => {
    const { verdict } = explained(
      "BUG: unable to handle page fault for address: fffffffffffffff4",
      "#PF: supervisor read access in kernel mode",
      "Oops: 0000 [#1] SMP",
      CPU,
      "RIP: 0010:widget_open+0x1c/0x40",
      "Call Trace:",
      " chrdev_open+0x1/0x2",
      ...TAIL,
    );
    expect(verdict.class).toBe("err-pointer-dereference");
  });
  test("a call of NULL names the caller", () => {
    const { verdict } = explained(
      "BUG: kernel NULL pointer dereference, address: 0000000000000000",
      "#PF: supervisor instruction fetch in kernel mode",
      "#PF: error_code(0x0010) - not-present page",
      "Oops: 0010 [#1] SMP",
      CPU,
      "RIP: 0010:0x0",
      "Code: Unable to access opcode bytes at 0xffffffffffffffd6.",
      "Call Trace:",
      " widget_notify+0x1/0x20",
      ...TAIL,
    );
    expect(verdict).toMatchObject({ class: "null-function-call", function: "widget_notify", access: { kind: "execute" } });
  });
  test("the shadow of KASAN is no address", () => {
    const { verdict, story } = explained(
      "general protection fault, probably for non-canonical address 0xdffffc0000000003: 0000 [#1] SMP KASAN",
      "KASAN: null-ptr-deref in range [0x0000000000000018-0x000000000000001f]",
      CPU,
      "RIP: 0010:widget_poll+0x1c/0x40",
      "Call Trace:",
      " widget_read+0x1/0x2",
      ...TAIL,
    );
    expect(verdict.class).toBe("null-pointer-dereference");
    expect(story.join()).toContain("0x18 to 0x1f");
  });
  test("arm64 with its syndrome", () => {
    const { verdict } = explained(
      "Unable to handle kernel NULL pointer dereference at virtual address 0000000000000010",
      "Mem abort info:",
      "  ESR = 0x0000000096000044",
      "Internal error: Oops: 0000000096000044 [#1] SMP",
      CPU,
      "pstate: 60400005 (nZCv daif +PAN -UAO)",
      "pc : widget_poll+0x1c/0x40",
      "lr : widget_read+0x1/0x2",
      "x29: ffff800012345678 x28: 0000000000000000",
      "Call trace:",
      " widget_poll+0x1c/0x40",
      " widget_read+0x1/0x2",
      " el0_svc+0x1/0x2",
      "Code: d503201f f9400000 (b9001001)",
      "---[ end trace 0000000000000000 ]---",
    );
    expect(verdict).toMatchObject({
      class: "null-pointer-dereference",
      function: "widget_poll",
      access: { kind: "write" },
      address: 0x10n,
    });
  });
  test("arm, riscv, s390x and ppc64", () => {
    const arm = explained(
      "Unable to handle kernel NULL pointer dereference at virtual address 00000008",
      "Internal error: Oops: 5 [#1] SMP ARM",
      CPU,
      "PC is at widget_poll+0x1c/0x40",
      "LR is at widget_read+0x1/0x2",
      "[<8011218c>] (widget_poll) from [<8010e300>] (widget_read+0x18/0x1c)",
      "---[ end trace 1234 ]---",
    );
    expect(arm.verdict).toMatchObject({ class: "null-pointer-dereference", function: "widget_poll" });
    const riscv = explained(
      "Unable to handle kernel paging request at virtual address ffffffd801a3b000",
      "Oops [#1]",
      CPU,
      "epc : widget_poll+0x1c/0x40",
      " ra : widget_read+0x1/0x2",
      "[<ffffffff80001234>] widget_poll+0x1c/0x40",
      "---[ end trace 0000000000000000 ]---",
    );
    expect(riscv.verdict).toMatchObject({ class: "wild-pointer", function: "widget_poll" });
    const s390 = explained(
      "Unable to handle kernel pointer dereference in virtual kernel address space",
      "Failing address: 6b6b6b6b6b6b6000 TEID: 6b6b6b6b6b6b6803",
      "Oops: 0038 ilc:3 [#1] SMP",
      CPU,
      "Krnl PSW : 0704d00180000000 000003ff8001234c (widget_poll+0x1c/0x40 [widget])",
      "Call Trace:",
      "([<000003ff80012340>] widget_poll+0x10/0x40 [widget])",
      " [<0000000000123456>] widget_read+0x18/0x1c",
      "---[ end trace 0000000000000000 ]---",
    );
    expect(s390.verdict).toMatchObject({ function: "widget_poll", module: "widget" });
    const power = explained(
      "BUG: Kernel NULL pointer dereference on read at 0x00000018",
      "Faulting instruction address: 0xc008000000123456",
      "Oops: Kernel access of bad area, sig: 11 [#1]",
      CPU,
      "NIP [c008000000123456] widget_poll+0x1c/0x40 [widget]",
      "LR [c008000000123450] widget_read+0x1/0x2",
      "Call Trace:",
      "[c00000003ae5b800] [c008000000123450] widget_read+0x18/0x1c (unreliable)",
      "[c00000003ae5b860] [c00000000016ab98] widget_ioctl+0x1cc/0x534",
      "---[ end trace 0000000000000000 ]---",
    );
    expect(power.verdict).toMatchObject({ class: "null-pointer-dereference", function: "widget_poll", address: 0x18n });
  });
  test("BUG() in a list helper is list corruption of its caller", () => {
    const { verdict } = explained(
      "list_del corruption. prev->next should be ffff888012345678, but was ffff888087654321",
      "------------[ cut here ]------------",
      "kernel BUG at lib/list_debug.c:53!",
      "invalid opcode: 0000 [#1] SMP",
      CPU,
      "RIP: 0010:__list_del_entry_valid+0x1/0x2",
      "Call Trace:",
      " widget_unlink+0x1/0x2",
      ...TAIL,
    );
    expect(verdict).toMatchObject({ class: "list-corruption", function: "widget_unlink" });
  });
});

describe("warnings", () => {
  test.each([
    ["WARNING: CPU: 1 PID: 2 at drivers/widget/core.c:77 widget_poll+0x1/0x20 [widget]"],
    ["WARNING: [queue->depth < 0] drivers/widget/core.c:77 at widget_poll+0x1/0x20 [widget], CPU#1: feeder/2"],
    ["WARNING: drivers/widget/core.c:77 at widget_poll+0x1/0x20, CPU#1: feeder/2"],
    ["WARNING: at drivers/widget/core.c:77 widget_poll+0x1/0x20 [widget]() (Not tainted)"],
  ])("%s", (head) => {
    const { verdict } = explained(
      "------------[ cut here ]------------",
      head,
      "Modules linked in: widget",
      "RIP: 0010:widget_poll+0x1/0x20",
      "Call Trace:",
      " widget_read+0x1/0x2",
      ...TAIL,
    );
    expect(verdict).toMatchObject({ class: "warning-panic", function: "widget_poll", file: "drivers/widget/core.c", line: 77 });
  });
  test("a reference count", () => {
    const { verdict } = explained(
      "refcount_t: underflow; use-after-free.",
      "WARNING: CPU: 1 PID: 2 at lib/refcount.c:28 refcount_warn_saturate+0xba/0x110",
      CPU,
      "RIP: 0010:refcount_warn_saturate+0xba/0x110",
      "Call Trace:",
      " widget_put+0x1/0x2",
      ...TAIL,
    );
    expect(verdict).toMatchObject({ class: "refcount-underflow", function: "widget_put" });
  });
});

test("a link register that equals the pc tells a return from a call", () => {
  const { verdict, story } = explained(
    "Unable to handle kernel paging request at virtual address 002f412e412d412c",
    "Mem abort info:",
    "  ESR = 0x0000000086000004",
    "  EC = 0x21: IABT (current EL), IL = 32 bits",
    "Internal error: Oops: 0000000086000004 [#1] SMP",
    "CPU: 0 UID: 0 PID: 77 Comm: feeder Not tainted 6.12.0 #1",
    "pstate: 60000005 (nZCv daif -PAN -UAO -TCO -DIT -SSBS BTYPE=--)",
    "pc : 0x2f412e412d412c",
    "lr : 0x4100412e412d412c",
    "sp : ffff80008002bbd0",
    "x29: 412b412a41294128 x28: ffff3e150264a500 x27: 0000000000000000",
    "Call trace:",
    " 0x2f412e412d412c",
    "Code: ???????? ???????? ???????? ???????? (????????)",
    "---[ end trace 0000000000000000 ]---",
  );
  expect(verdict.class).toBe("stack-corruption");
  expect(story.join(" ")).toContain("no call led there, a function returned, and its frame had been written over");
});
