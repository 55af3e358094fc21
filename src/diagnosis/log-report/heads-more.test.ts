import { expect, test } from "vitest";
import { AnchorSearch } from "./anchor-search.ts";
import { ANCHORS, headOf } from "./heads.ts";

/** First lines by family, as the kernel's releases printed them; the numbers are made up. */
const HEAD_LINES: Readonly<Record<string, string>> = {
  lockdep: `
WARNING: possible circular locking dependency detected
[ INFO: possible circular locking dependency detected ]
WARNING: possible recursive locking detected
WARNING: possible irq lock inversion dependency detected
WARNING: SOFTIRQ-safe -> SOFTIRQ-unsafe lock order detected
WARNING: HARDIRQ-safe -> HARDIRQ-unsafe lock order detected
[ INFO: inconsistent lock state ]
WARNING: inconsistent lock state
WARNING: suspicious RCU usage
[ INFO: suspicious RCU usage. ]
INFO: suspicious RCU usage.
[ BUG: bad unlock balance detected! ]
WARNING: bad unlock balance detected!
[ BUG: held lock freed! ]
WARNING: held lock freed!
WARNING: syz/12 still has locks held!
[ BUG: syz/12 still has locks held! ]
WARNING: lock held when returning to user space!
[ BUG: lock held when returning to user space! ]
WARNING: Nested lock was not taken
WARNING: bad contention detected!
INFO: trying to register non-static key.
BUG: key ffff888 has not been registered!
BUG: MAX_LOCKDEP_ENTRIES too low!
BUG: MAX_LOCKDEP_CHAINS too low!
BUG: MAX_LOCKDEP_KEYS too low!
BUG: MAX_LOCK_DEPTH too low!
BUG: MAX_STACK_TRACE_ENTRIES too low!
BUG: looking up invalid subclass: 8
[ BUG: Invalid wait context ]
WARNING: lock held at task exit time, still held!
BUG: spinlock bad magic on CPU#0, swapper/0
BUG: spinlock lockup suspected on CPU#0, syz/12
BUG: spinlock wrong CPU on CPU#1, kworker/1:1/23
BUG: spinlock already unlocked on CPU#1, syz/3
BUG: spinlock recursion on CPU#1, syz/3
BUG: rwlock wrong CPU on CPU#1, syz/3
BUG: rwlock cpu recursion on CPU#1, syz/3
BUG: write-lock lockup on CPU#0, syz/1, ffff
BUG: workqueue leaked lock or atomic: kworker/0:1/0x00000001/12
BUG: workqueue leaked atomic, lock or RCU: kworker/0:1[12]
WARNING: possible irq lock inversion dependency detected
[ INFO: possible recursive locking detected ]
WARNING: feeder/2 still has locks held!
BUG: spinlock bad magic on CPU#1, feeder/2`,
  context: `
BUG: scheduling while atomic: syz/12/0x00000002
BUG: sleeping function called from invalid context at kernel/x.c:12
BUG: using smp_processor_id() in preemptible [00000000] code: syz/12
BUG: using __this_cpu_add() in preemptible [00000000] code: syz/12
BUG: scheduling with irqs disabled
BUG: assuming atomic context at x.c:12
BUG: scheduling while atomic: feeder/2/0x00000002
BUG: sleeping function called from invalid context at mm/slab.h:1
BUG: using smp_processor_id() in preemptible [00000000] code: feeder/2`,
  "hung-task": `
INFO: task syz:12 blocked for more than 120 seconds.
INFO: task syz:12 blocked in I/O wait for more than 143 seconds.
INFO: task syz:12 can't die for more than 143 seconds.
INFO: task kworker/u4:3:12 blocked for more than 143 seconds.
INFO: task kworker/u4:3 blocked for more than 143 seconds
INFO: task feeder:2 blocked for more than 120 seconds.
INFO: task my feeder:2 blocked in I/O wait for more than 120 seconds.`,
  "soft-lockup": `
watchdog: BUG: soft lockup - CPU#1 stuck for 123s! [syz:12]
NMI watchdog: BUG: soft lockup - CPU#1 stuck for 22s! [syz:12]
BUG: soft lockup - CPU#1 stuck for 22s! [syz:12]
BUG: soft lockup detected on CPU#0!
watchdog: BUG: soft lockup - CPU#1 stuck for 23s! [feeder:2]`,
  "hard-lockup": `
NMI watchdog: Watchdog detected hard LOCKUP on cpu 1
watchdog: CPU1: Watchdog detected hard LOCKUP on cpu 1
watchdog: CPU 3 self-detected hard LOCKUP @ foo+0x1/0x2
watchdog: CPU 3 detected hard LOCKUP on other CPUs 1
Watchdog CPU:3 Hard LOCKUP
NMI watchdog: Watchdog detected hard LOCKUP on cpu 3`,
  "rcu-stall": `
rcu: INFO: rcu_preempt self-detected stall on CPU
INFO: rcu_sched detected stalls on CPUs/tasks:
INFO: rcu_preempt self-detected stall on CPU
INFO: rcu_sched self-detected stall on CPU { 1}  (t=10000 jiffies)
rcu: INFO: rcu_preempt detected expedited stalls on CPUs/tasks: { 0-... } 123 jiffies s: 1 root: 0x1/.
INFO: rcu_preempt_state detected stalls on CPUs/tasks: {}
INFO: rcu_tasks detected stalls on tasks:
rcu: rcu_preempt kthread starved for 10502 jiffies! g5905 f0x0 RCU_GP_WAIT_FQS(5) ->state=0x0 ->cpu=1
rcu_preempt kthread timer wakeup didn't happen for 10502 jiffies!
INFO: rcu_sched detected expedited stalls on CPUs/tasks: { 1-... } 10879 jiffies s: 529 root: 0x2/.`,
  "workqueue-lockup": `
BUG: workqueue lockup - pool cpus=0 node=0 flags=0x0 nice=0 stuck for 225s!
BUG: workqueue lockup - pool cpus=1 node=0 flags=0x0 nice=0 stuck for 31s!`,
  oom: `
syz invoked oom-killer: gfp_mask=0x24200ca, order=0, oom_score_adj=0
feeder invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0
a b invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0
oom-killer: gfp_mask=0xd0, order=0
Out of Memory: Killed process 4212 (java).
Out of memory: Kill process 2215 (mysqld) score 151 or sacrifice child
Out of memory (oom_kill_allocating_task): Killed process 12 (sh) total-vm:1kB
Memory cgroup out of memory: Killed process 140339 (python3) total-vm:120832kB`,
  kmemleak: `
BUG: memory leak
unreferenced object 0xffff888123 (size 32):
unreferenced object 0xffff888012345678 (size 64):`,
  "page-state": `
BUG: Bad page state in process syz  pfn:12345
BUG: Bad page map in process syz  pte:123 pmd:123
BUG: Bad page cache in process syz pfn:12
BUG: Bad rss-counter state mm:ffff idx:0 val:1
BUG: Bad rss-counter state mm:ffff type:MM_FILEPAGES val:1
BUG: non-zero pgtables_bytes on freeing mm: 4096
BUG: non-zero nr_ptes on freeing mm: 1
BUG: non-zero nr_pmds on freeing mm: 1
BUG: Bad page state in process feeder  pfn:12345
BUG: Bad rss-counter state mm:00000000a5a5a5a5 type:MM_ANONPAGES val:1`,
  other: `
BUG: Dentry 00000000ab{i=1,n=lo}  still in use (1) [unmount of proc proc]
BUG: Dentry ffff8800{i=0,n=/}  still in use (2) [unmount of ramfs ramfs]
VFS: Busy inodes after unmount of sda. Self-destruct in 5 seconds.  Have a nice day...
VFS: Busy inodes after unmount of loop0 (ext4)
VFS: Close: file count is 0
VFS: Close: file count is zero (use-after-free)
unregister_netdevice: waiting for lo to become free. Usage count = 2
usercopy: kernel memory exposure attempt detected from ffff (kmalloc-64) (128 bytes)
usercopy: Kernel memory overwrite attempt detected to SLUB object 'kmalloc-64' (offset 0, size 1)!
ODEBUG: free active (active state 0) object type: timer_list hint: foo+0x0/0x1
BUG: please report to dccp@vger.kernel.org => prev = 0, last = 0 at net/dccp/ccids/lib/packet_history.c:425/tfrc_rx_hist_sample_rtt()
BUG: "hc->tx_t_ipi == 0" holds (exception!) at net/dccp/ccids/ccid3.c:90/ccid3_update_send_interval()
BUG: Dentry ffff880175978600{i=8bb9,n=lo}  still in use (1) [unmount of proc proc]
unregister_netdevice: waiting for lo to become free. Usage count = 1
usercopy: Kernel memory overwrite attempt detected to SLUB object 'kmalloc-64' (offset 0, size 80)!`,
  "machine-check": `
mce: [Hardware Error]: CPU 0: Machine Check Exception: 4 Bank 0: f200000000000402
{1}[Hardware Error]: event severity: fatal
mce: [Hardware Error]: CPU 1: Machine Check Exception: 5 Bank 4: be00000000800400
mce: [Hardware Error]: CPU 1: Machine Check: 0 Bank 4: be00000000800400
EDAC MC0: 1 UE memory read error on CPU_SrcID#0_MC#0_Chan#1_DIMM#0
pcieport 0000:00:03.0: PCIe Bus Error: severity=Uncorrectable (Fatal), type=Transaction Layer, (Requester ID)
pcieport 0000:00:03.0: AER: Uncorrected (Fatal) error received: 0000:00:03.0`,
  panic: `
Kernel panic - not syncing: Fatal exception
Kernel panic - not syncing (cpu 1): x
Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)`,
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

/** Words of reports that are none: programs, command lines, what the kernel says of itself. */
const SILENT = `
WARNING: module widget not found.
WARNING: Spectre v2 mitigation leaves CPU vulnerable to RETBleed attacks, data leaks possible!
WARNING! power/level is deprecated; use power/control instead
WARNING: You are running an unsupported configuration
INFO: lockdep is turned off.
INFO: Slab 0xffffea0000 objects=21 used=20
INFO: Freed in foo+0x1/0x2 age=12 cpu=1 pid=3
INFO: rcu_sched_state: 
INFO: NMI handler (nmi_cpu_backtrace_handler) took too long to run: 1.7 msecs
Bluetooth: hci0: BUG
PM: BUG
systemd[1]: BUG: KASAN: not a kernel line
audit: type=1400 audit(1.2:3): avc: denied { read } for comm="BUG: KASAN: use-after-free in x" 
Kernel command line: root=/dev/sda BUG: KASAN: x panic_on_warn=1
[U] BUG: KASAN: use-after-free in x
[U] WARNING: CPU: 0 PID: 0 at x.c:1
usb 1-1: Product: BUG: soft lockup - CPU#1
random: crng init done
Oops, something went wrong
Modules linked in: BUG
EXT4-fs error (device loop0): ext4_lookup:1: inode #2: comm syz: BUG: x
ERROR: BUG: unable
kmemleak: unreferenced
lockdep: fixing up alternatives.
netlink: 'BUG': attribute type 1 has an invalid length.
print_req_error: I/O error, dev loop0, sector 0
TCP: request_sock_TCP: Possible SYN flooding on port 20002. Sending cookies.
Kernel panic on OOM enabled
panic_on_warn: 1
watchdog: Watchdog enabled
NMI watchdog: Enabled. Permanently consumes one hw-PMU counter.
traps: syz[12] general protection ip:4 sp:5 error:0 in x[4000+1000]
traps: syz[12] trap invalid opcode ip:4 sp:5 error:0
syz[1]: segfault at 0 ip 0 sp 0 error 4
kernel: Oops
rcu: 	Offload RCU callbacks from CPUs: (none).
rcu: INFO: something
INFO: task_tracing
FAULT_INJECTION: forcing a failure.
refcount_t warnings are on
Internal error
DEBUG: task
invalid opcode
Unable to handle this
kernel BUG
BUG
Hardware name: BUG: KASAN: x
KASAN init done
kasan: KernelAddressSanitizer initialized
UBSAN
slub: BUG
mce: [Hardware Error]: Machine check events logged
EDAC MC0: 1 CE memory read error
EDAC MC0: 0 UE memory read error
mce: [Hardware Error]: CPU 3: Machine Check: 0 Bank 7: 8c00004000010091
pcieport 0000:00:1c.0: AER: Uncorrectable (Non-Fatal) error message received from 0000:00:1c.0
pcieport 0000:00:1c.0: PCIe Bus Error: severity=Uncorrectable (Non-Fatal), type=Transaction Layer, (Receiver ID)
EDAC MC: UE overwritten
PCIe Bus Error: severity=Corrected`;

test.each(SILENT.trim().split("\n"))("silent: %s", (line) => {
  expect(headOf(line, true)).toBeUndefined();
});
