import { expect, test } from "vitest";
import { AnchorSearch } from "./anchor-search.ts";
import { ANCHORS, headOf } from "./heads.ts";

/** First lines by family, as the kernel's releases printed them; the numbers are made up. */
const HEAD_LINES: Readonly<Record<string, string>> = {
  oops: `
BUG: unable to handle kernel NULL pointer dereference at           (null)
BUG: unable to handle kernel NULL pointer dereference at 0000000000000028
BUG: unable to handle kernel paging request at ffffc90000400000
BUG: unable to handle kernel paging request for data at address 0x00000008
BUG: unable to handle page fault for address: ffffc90000400000
BUG: kernel NULL pointer dereference, address: 0000000000000028
BUG: unable to handle kernel execution of user memory at virtual address 0000000000000000
BUG: Unable to handle kernel data access on read at 0xc00000000000000
BUG: Unable to handle kernel data access at 0xbffffffff
BUG: Kernel NULL pointer dereference on read at 0x00000000
BUG: Kernel NULL pointer dereference at 0x00000000
BUG: Unable to handle kernel instruction fetch
BUG: Unable to handle kernel instruction fetch (NULL pointer?)
BUG: Unable to handle kernel paging request for data at address 0x00000000
BUG: Unable to handle kernel unaligned access at 0xc0000000
BUG: Unable to handle unknown paging fault at 0xc000000
Unable to handle kernel paging request for data at address 0x00000000
Unable to handle kernel paging request for instruction fetch
Unable to handle kernel paging request at virtual address dead000000000100
Unable to handle kernel NULL pointer dereference at virtual address 00000000
Unable to handle kernel NULL pointer dereference at virtual address 00000000 when read
Unable to handle kernel access to user memory outside uaccess routines at virtual address 0000000020000000
Unable to handle kernel read from unreadable memory at virtual address 0000000000000000
Unable to handle kernel write to read-only memory at virtual address ffff800000000000
Unable to handle kernel execute from non-executable memory at virtual address ffff800000000000
Unable to handle kernel execution of user memory at virtual address 0000000000000000
Unable to handle kernel ignored privileged memory at virtual address
Unable to handle kernel pointer dereference in virtual kernel address space
Unable to handle kernel pointer dereference at virtual kernel address 0000000000000000
Unable to handle kernel paging request at virtual user address 0000000000000000
CPU 0 Unable to handle kernel paging request at virtual address 0000000000000000, epc == 80000000, ra == 80000000
Unable to handle access to user memory without uaccess routines at virtual address 0000000000000000
Unhandled fault: imprecise external abort (0x406) at 0x00000000
Unhandled fault: synchronous external abort (0x96000010) at 0xffff000
Unhandled fault: alignment exception (0x221) at 0x00000001
Unhandled prefetch abort: breakpoint debug exception (0x002) at 0x00000000
Alignment trap: not handling instruction e1932f9f at [<8024dcd8>]
Bad mode in Synchronous Abort handler detected on CPU1, code 0x86000005 -- IABT (current EL)
Bad mode in Error handler detected, code 0xbf000000 -- SError
SError Interrupt on CPU0, code 0x00000000be000000 -- SError
Unhandled 64-bit el1h sync exception on CPU0, ESR 0x0000000002000000 -- Unknown/Uncategorized
Unexpected kernel BRK exception at EL1
Unexpected kernel single-step exception at EL1
Internal error: Oops: 96000004 [#1] PREEMPT SMP
Internal error: Oops - BUG: 00000000f2000800 [#1] PREEMPT SMP
Internal error: Oops - BUG: 0 [#1] PREEMPT SMP ARM
Internal error: Oops - undefined instruction: 0 [#1] SMP ARM
Internal error: Oops: 5 [#1] PREEMPT SMP ARM
Internal error: : 8000221 [#1] SMP ARM
Internal error: SP/PC alignment exception: 8a000000 [#1] SMP
Internal error: synchronous external abort: 96000010 [#1] SMP
Internal error: undefined instruction: 0 [#1]
Internal error: aarch64 BRK: 00000000f2005512 [#1] SMP
Internal error: Oops - CFI: 00000000f2008228 [#1] PREEMPT SMP
Internal error: KASAN: 00000000f2000923 [#1]
kernel BUG at mm/slub.c:305!
kernel BUG at lib/list_debug.c:62!
Kernel BUG at list_del+0x10/0x20 [verbose debug info unavailable]
BUG: failure at fs/inode.c:12/foo()!
general protection fault: 0000 [#1] PREEMPT SMP KASAN
general protection fault, probably for non-canonical address 0xdffffc0000000000: 0000 [#1] PREEMPT SMP KASAN PTI
general protection fault, maybe for address 0xffff88: 0000 [#1] PREEMPT SMP
Oops: general protection fault, probably for non-canonical address 0xdffffc0000000003: 0000 [#1] SMP KASAN NOPTI
Oops: Oops: 0000 [#1] SMP
Oops: 0002 [#1] SMP
Oops: divide error: 0000 [#1] PREEMPT SMP
Oops: int3: 0000 [#1] SMP
Oops: stack segment: 0000 [#1] SMP
Oops: stack guard page: 0000 [#1] SMP
Oops: invalid opcode: 0000 [#1] SMP
divide error: 0000 [#1] SMP
divide_error: 0000 [#1] SMP
stack segment: 0000 [#1] SMP
invalid opcode: 0000 [#1] SMP KASAN
invalid op: 0000 [#1] SMP KASAN
int3: 0000 [#1] SMP KASAN
alignment check: 0000 [#1]
control protection: 0000 [#1]
CFI failure at foo+0x12/0x34 (target: bar+0x0/0x10; expected type: 0x12345678)
CFI failure (target: foo+0x0/0x8):
Oops [#1]
Kernel BUG [#1]
Oops - load access fault [#1]
Oops - store (or AMO) access fault [#1]
Oops - illegal instruction [#1]
Oops - instruction page fault [#1]
Oops: Kernel access of bad area, sig: 11 [#1]
Oops: Exception in kernel mode, sig: 5 [#1]
Oops: Machine check, sig: 7 [#1]
Oops: Bad kernel stack pointer, sig: 6 [#1]
Oops[#1]:
Oops: 0004 ilc:2 [#1] SMP
Oops: 0038 ilc:3 [#1] PREEMPT SMP
illegal operation: 0001 ilc:1 [#1] SMP
monitor event: 0040 ilc:2 [#1] SMP
addressing exception: 0005 ilc:2 [#1] SMP
specification exception: 0006 ilc:3 [#1] SMP
Break instruction in kernel code[#1]:
Kernel bug detected[#1]:
Reserved instruction in kernel code[#1]:
Unhandled kernel unaligned access[#1]:
Low-address protection: 0004 ilc:2 [#1]
Unable to handle kernel NULL pointer dereference in virtual kernel address space
BUG: unable to handle page fault for address: ffff8801d386d964
BUG: kernel NULL pointer dereference, address: 0000000000000000
Unable to handle kernel paging request at virtual address ffff800012345678
Unable to handle kernel NULL pointer dereference at virtual address 00000008
CPU 0 Unable to handle kernel paging request at virtual address 0000000000000004, epc == 80123456, ra == 80123450
Unable to handle kernel access to user memory without uaccess routines at virtual address 0000000000000010
Unhandled fault: imprecise external abort (0x1c06) at 0x76f8a000
Bad mode in Error handler detected on CPU0, code 0xbf000002 -- SError
SError Interrupt on CPU3, code 0x00000000be000011 -- SError
kernel BUG at drivers/widget/core.c:77!
general protection fault: 0000 [#1] SMP PTI
general protection fault, probably for non-canonical address 0xdffffc0000000003: 0000 [#1] PREEMPT SMP KASAN
Oops: general protection fault, probably for non-canonical address 0xdead000000000122: 0000 [#1] SMP
Internal error: Oops - BUG: 00000000f2000800 [#1] SMP`,
  stack: `
PANIC: double fault, error_code: 0x0
traps: PANIC: double fault, error_code: 0x0
BUG: stack guard page was hit at 00000000ce1f2a01 (stack is 00000000d1..00000000e2)
BUG: TASK stack guard page was hit at ffffc90000e3fff8 (stack is ffffc90000e40000..ffffc90000e48000)
BUG: IRQ stack guard page was hit at ffffc90000e3fff8 (stack is ffffc90000e40000..ffffc90000e48000)
kernel stack overflow (double-fault): 0000 [#1] SMP
kernel stack overflow (page fault): 0000 [#1] SMP
Insufficient stack space to handle exception!
Kernel stack overflow in process 00000000
WARNING: kernel stack regs at ffffc900 in syz-executor:12 has bad 'bp' value ffffc900
WARNING: kernel stack frame pointer at ffffc900 in syz-executor:12 has bad value ffffc900
Thread overran stack, or stack corrupted
do_IRQ: stack overflow: 344
Kernel stack overflow in process 0000, r1=0000
BUG: TASK stack guard page was hit at 00000000a5a5a5a5 (stack is 00000000b5b5b5b5..00000000c5c5c5c5)`,
  warning: `
WARNING: CPU: 1 PID: 18244 at ./arch/x86/include/asm/fpu/internal.h:340 __switch_to+0x10bd/0x13c0
WARNING: CPU: 1 PID: 1 at fs/x.c:1
WARNING: CPU: 0 PID: 2 at kernel/x.c:3 foo+0x1/0x2 [mod]
WARNING: at fs/x.c:12 foo()
WARNING: at fs/x.c:12
WARNING: fs/x.c:12 at foo+0x1/0x2, CPU#1: syz/12
WARNING: [!ptr] fs/x.c:12 at foo+0x1/0x2 [mod], CPU#1: syz/12
WARNING: ./include/linux/x.h:12 at foo+0x1/0x2, CPU#0: kworker/u8:3/44
WARNING: CPU: 0 PID: 0 at 0xffffffff81000000
WARNING: CPU: 1 PID: 2 at drivers/widget/core.c:77 widget_poll+0x1/0x2 [widget]
WARNING: [x > 3] drivers/widget/core.c:77 at widget_poll+0x1/0x2, CPU#1: feeder/2
WARNING: drivers/widget/core.c:77 at widget_poll+0x1/0x2, CPU#1: feeder/2
WARNING: at drivers/widget/core.c:77 widget_poll+0x1/0x2() (Not tainted)`,
  refcount: `
refcount_t: underflow; use-after-free.`,
  list: `
list_add corruption. next->prev should be prev (ffff), but was 00. (next=ffff).
list_del corruption, ffff->next is LIST_POISON1 (dead000000000100)
list_add double add: new=ffff, prev=ffff, next=ffff.
list_del corruption. prev->next should be ffff, but was ffff. (prev=ffff)
list_del corruption, ffff888012345678->next is LIST_POISON1 (dead000000000100)
list_add double add: new=ffff888012345678, prev=ffff888012345678, next=ffffffff82000000.`,
  kasan: `
BUG: KASAN: use-after-free in f+0x1/0x2
BUG: KASAN: use-after-free in f+0x1/0x2 at addr ffff8800
BUG: KASAN: double-free or invalid-free in f+0x1/0x2
BUG: KASAN: null-ptr-deref in f+0x1/0x2
BUG: KASAN: invalid-access in f
BUG: KASan: use after free in f+0x1/0x2 at addr ffff
BUG: KASAN: maybe wild-memory-access in range [0x-0x]
BUG: KASAN: slab-use-after-free in widget_poll+0x1/0x2`,
  kmsan: `
BUG: KMSAN: uninit-value in f+0x1/0x2
BUG: KMSAN: kernel-infoleak in f+0x1/0x2
BUG: KMSAN: uninit-value in widget_poll+0x1/0x2`,
  kcsan: `
BUG: KCSAN: data-race in f / g
BUG: KCSAN: assert: race in f / g
BUG: KCSAN: data-race in widget_poll / widget_stop`,
  kfence: `
BUG: KFENCE: use-after-free read in f+0x1/0x2
BUG: KFENCE: memory corruption in f+0x1/0x2
BUG: KFENCE: invalid free in f+0x1/0x2
BUG: KFENCE: out-of-bounds read in widget_poll+0x1/0x2`,
  ubsan: `
UBSAN: Undefined behaviour in fs/x.c:1:2
UBSAN: array-index-out-of-bounds in fs/x.c:1:2
UBSAN: shift-out-of-bounds in ./include/x.h:1:2
UBSAN: array-index-out-of-bounds in drivers/widget/core.c:77:3`,
  slub: `
BUG kmalloc-64 (Not tainted): Redzone overwritten
BUG kmalloc-64 (Tainted: G    B W): Poison overwritten
BUG kmem_cache_node (Not tainted): Object already free
BUG task_struct(17:syz) (Not tainted): Freechain corrupt
BUG test (Not tainted): Objects remaining in test on __kmem_cache_shutdown()
BUG: Object already free
BUG kmalloc-64 (Tainted: G    B   W        ): Poison overwritten
BUG widget_cache (Not tainted): Right Redzone overwritten`,
};
const ROWS = Object.entries(HEAD_LINES).flatMap(([family, lines]) =>
  lines
    .trim()
    .split("\n")
    .map((line) => [family, line] as const),
);

test.each(ROWS)("%s: %s", (family, line) => {
  expect(headOf(line, true)?.family).toBe(family);
  // The search in bytes must not pass it over, neither at the start of the input nor behind a prefix.
  const search = new AnchorSearch(ANCHORS);
  for (const text of [`\n${line}\n`, `[    1.000000] ${line}\n`, `\r\n${line}\r\n`])
    expect(search.find(new TextEncoder().encode(text), 0)).toBeGreaterThanOrEqual(0);
});
