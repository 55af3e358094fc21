/**
 * The first lines of kernel reports, and which family each begins. The words are those of the kernel's printing functions; each row names
 * the file that prints it. A head must hold the fixed words *and* their shape ("[#1]", "at ADDRESS"), for programs print "BUG:" too.
 */
import type { ReportFamily } from "./report.ts";

export interface Head {
  readonly family: ReportFamily;
  readonly pattern: RegExp;
  /** Follows another head of the same event: part of an open report, a head only when none is open. */
  readonly follows?: readonly ReportFamily[];
  /** Part of an open report of these families wherever it comes. */
  readonly within?: readonly ReportFamily[];
  /** In the middle of a report: when none is open, the head was not logged. */
  readonly headless?: true;
  /** A device was lost and the machine goes on: told of a text, but it is not what a dump was made for. */
  readonly device?: true;
  /** Words that programs print too: a head only behind a time of the kernel, and what follows it tells its family. */
  readonly stamped?: true;
}

const ANY: readonly ReportFamily[] = [
  "oops",
  "warning",
  "kasan",
  "kmsan",
  "kcsan",
  "kfence",
  "ubsan",
  "slub",
  "list",
  "refcount",
  "lockdep",
  "context",
  "hung-task",
  "soft-lockup",
  "hard-lockup",
  "rcu-stall",
  "workqueue-lockup",
  "oom",
  "kmemleak",
  "page-state",
  "stack",
  "machine-check",
  "panic",
  "other",
];
const BEFORE_OOPS: readonly ReportFamily[] = ["oops", "list", "stack", "slub", "other", "page-state"];

// biome-ignore format: a table
export const HEADS: readonly Head[] = [
  // arch/x86/mm/fault.c show_fault_oops; ppc64 arch/powerpc/mm/fault.c bad_page_fault
  { family: "oops", pattern: /BUG: unable to handle (?:kernel .{5,60} (?:at|for)\b|page fault for address|unknown paging fault)/i, follows: ["oops"] },
  { family: "oops", pattern: /BUG: kernel (?:NULL pointer dereference|instruction fetch|data access|unaligned|paging request)/i, follows: ["oops"] },
  // arch/{arm,arm64,riscv,mips,s390,powerpc,loongarch}/mm/fault.c
  { family: "oops", pattern: /Unable to handle kernel (?:.{0,60} at virtual (?:kernel |user )?address|pointer dereference in|paging request|NULL pointer|access to user|data access|instruction fetch|unknown fault)/, follows: ["oops"] },
  { family: "oops", pattern: /Unable to handle access to user memory without uaccess routines/, follows: ["oops"] },
  { family: "oops", pattern: /Unhandled \S{4,12} \S+ \S+ exception on CPU\d+/, follows: ["oops"] },
  { family: "oops", pattern: /Unhandled (?:fault|prefetch abort)(?:: .{1,80} \(0x[0-9a-f]+\))? at (?:0x)?[0-9a-f]{8}|Unhandled fault: .{1,80} \(0x[0-9a-f]+\) at 0x/, follows: ["oops"] },
  { family: "oops", pattern: /Alignment trap: not handling instruction/ },
  { family: "oops", pattern: /Bad mode in .{1,40} handler detected|SError Interrupt on CPU|Unexpected kernel (?:BRK|single-step) exception/, follows: ["oops"] },
  // include/asm-generic/bug.h, lib/bug.c
  { family: "oops", pattern: /kernel BUG at \S+/i, follows: BEFORE_OOPS },
  { family: "oops", pattern: /BUG: failure at \S+:\d+\// },
  { family: "oops", pattern: /CFI failure (?:at|\(target:)/ },
  // arch/x86/kernel/{traps,irq_32}.c, arch/x86/mm/fault.c, arch/arm64/kernel/traps.c, arch/powerpc/kernel/process.c, unwinders
  { family: "stack", pattern: /PANIC: double fault/, follows: ["stack"] },
  { family: "stack", pattern: /BUG: .{0,40}stack guard page was hit at/ },
  { family: "stack", pattern: /Insufficient stack space to handle exception!|kernel stack overflow (?:\(|in process)|do_IRQ: stack overflow/i, follows: BEFORE_OOPS },
  { family: "stack", pattern: /(?:WARNING: )?kernel stack (?:regs|frame pointer) at \S+ in \S+ has bad/ },
  { family: "stack", pattern: /WARNING: (?:can't (?:access|dereference) (?:iret )?registers at|stack going in the wrong direction|unrecognized unwind stack type|stack recursion on stack type)/, follows: ANY },
  { family: "stack", pattern: /Thread overran stack, or stack corrupted/, follows: ANY },
  // arch/*/kernel/{traps,dumpstack}.c die(): "WORDS: code [#n]"
  { family: "oops", pattern: /(?:Internal error|Kernel code patching|Oops|Kernel mode BUG)\b.{0,120}\[#\d+\]/, follows: BEFORE_OOPS },
  { family: "oops", pattern: /^(?:.{0,40}[:\s])?(?:general protection fault|stack segment|divide error|invalid opcode|int3|alignment check|bounds|coprocessor segment overrun|invalid TSS|segment not present|overflow|stack guard page|control protection fault|trap|segment-related general protection fault|Machine check|Exception|Kernel access of bad area)\b.{0,160}\[#\d+\]/, follows: BEFORE_OOPS },
  // "words: code [#n]" of a trap that has no name of its own above
  { family: "oops", pattern: /(?:^|[:\]] )[A-Za-z][\w ,/()-]{2,80}(?:: [0-9a-f]{1,16}(?: ilc:\d)?)? ?\[#\d+\]/, follows: BEFORE_OOPS },
  // kernel/panic.c __warn, lib/bug.c; 6.19: "WARNING: [condition] file:line at func, CPU#n: comm/pid"
  { family: "warning", pattern: /WARNING: CPU: \d+ PID: \d+ at /, follows: ["refcount", "list", "warning", "other", "page-state", "slub"] },
  { family: "warning", pattern: /WARNING: (?:\[.{1,200}\] )?\S+:\d+ at \S+(?: \[\S+\])?, CPU#\d+: /, follows: ["refcount", "list", "warning", "other", "page-state", "slub"] },
  { family: "warning", pattern: /WARNING: at \S+:\d+(?: \S|$)/, follows: ["refcount", "list", "warning", "other"] },
  { family: "refcount", pattern: /refcount_t: (?:addition|increment|underflow|saturated|decrement|hit)/, follows: ["warning"] },
  { family: "list", pattern: /list_(?:add|del) (?:corruption|double add)/, follows: ["warning"] },
  // mm/kasan/report.c, mm/kmsan/report.c, kernel/kcsan/report.c, mm/kfence/report.c, lib/ubsan.c
  { family: "kasan", pattern: /BUG: KAS[Aa][Nn]: / },
  { family: "kasan", pattern: /^\s*Allocated by task \d+:$/, follows: ANY, headless: true },
  { family: "kmsan", pattern: /BUG: KMSAN: / },
  { family: "kcsan", pattern: /BUG: KCSAN: / },
  { family: "kfence", pattern: /BUG: KFENCE: / },
  { family: "ubsan", pattern: /UBSAN: \S/ },
  // mm/slub.c slab_bug
  { family: "slub", pattern: /(?:^|\s)BUG [\w.:()-]+(?: \([^)]{0,60}\))?(?: \((?:Not tainted|Tainted[^)]*)\)): (?!kasan: bad access)/, follows: ["kasan"] },
  { family: "slub", pattern: /BUG: Object already free|BUG [\w.:-]+: (?:Object|Objects) / },
  // kernel/locking/lockdep.c
  { family: "lockdep", pattern: /(?:WARNING|INFO|BUG|DEBUG): (?:possible (?:circular locking|recursive locking|irq lock inversion)|bad (?:unlock balance|contention|wait) detected|suspicious RCU usage|inconsistent lock state|held lock freed|lock held when returning to user ?space|lock held at task exit time|\S+\/\d+ still has locks held|\S.{0,80} still has locks held|Nested lock was not taken|\S{1,30}-safe -> \S{1,30}-unsafe lock order detected)/ },
  { family: "lockdep", pattern: /^\[ (?:INFO|BUG|WARNING): .{4,120} \]$/ },
  { family: "lockdep", pattern: /INFO: trying to register non-static key/ },
  { family: "lockdep", pattern: /BUG: MAX_(?:LOCK(?:DEP|_DEPTH)|STACK_TRACE_ENTRIES)|BUG: looking up invalid subclass|BUG: key \S+ (?:not in|has not been registered)|BUG: Invalid wait context|\[ BUG: Invalid wait context \]/ },
  { family: "lockdep", pattern: /BUG: (?:spinlock|write-lock|read-lock|rwlock|rwlock-lockup|spinlock-lockup|rwsem|mutex) ?.{0,60} on CPU#\d+/ },
  { family: "lockdep", pattern: /BUG: workqueue leaked (?:lock|atomic|lock, atomic)/ },
  // kernel/sched/core.c, lib/smp_processor_id.c
  { family: "context", pattern: /BUG: (?:scheduling while atomic|sleeping function called from invalid context at|using \S+ in preemptible)/ },
  { family: "context", pattern: /BUG: scheduling with irqs disabled|BUG: atomic scheduling while|BUG: assuming (?:atomic|non migratable) context/ },
  // kernel/hung_task.c, kernel/watchdog.c, kernel/rcu/tree_stall.h, kernel/workqueue.c
  { family: "hung-task", pattern: /INFO: task .{1,80}:\d+ (?:blocked|can't die)(?: in I\/O wait)?(?: for more than|, may be stuck)/ },
  { family: "soft-lockup", pattern: /BUG: soft lockup (?:- |detected on )CPU#\d+/ },
  { family: "hard-lockup", pattern: /Watchdog detected hard LOCKUP|[Hh]ard LOCKUP on (?:cpu|CPU)|CPU \d+ (?:self-)?detected hard LOCKUP|Watchdog CPU:\d+ Hard LOCKUP/, follows: ["hard-lockup"] },
  { family: "rcu-stall", pattern: /INFO: rcu_?\w* (?:self-)?detected (?:expedited )?stalls? on/ },
  { family: "rcu-stall", pattern: /rcu_\w+ kthread (?:starved for|timer wakeup didn't happen for) \d+ jiffies/, within: ["rcu-stall", "hung-task", "soft-lockup"] },
  { family: "workqueue-lockup", pattern: /BUG: workqueue lockup - pool/ },
  // mm/oom_kill.c, mm/kmemleak.c, mm/page_alloc.c, mm/memory.c, kernel/fork.c
  { family: "oom", pattern: /\S invoked oom-killer: |^oom-killer: gfp_mask=/ },
  // What is left of it in many collectors: its last line.
  { family: "oom", pattern: /^(?:Memory cgroup out|Out) of [Mm]emory(?: \([\w ]+\))?: Kill(?:ed)? process \d+/, within: ["oom"] },
  { family: "kmemleak", pattern: /BUG: memory leak$/ },
  { family: "kmemleak", pattern: /unreferenced object (?:\(percpu\) )?0x[0-9a-f]+ \(size \d+\):/, follows: ["kmemleak"] },
  { family: "page-state", pattern: /BUG: Bad (?:page state|page map|page cache|rss-counter|swap file|pagetable)|BUG: non-zero (?:nr_\w+|pgtables_bytes|mm_counter)/i },
  { family: "other", pattern: /BUG: Dentry .{1,160} still in use/ },
  { family: "other", pattern: /VFS: Busy inodes after unmount|VFS: Close: file count is (?:0|zero)/ },
  { family: "other", pattern: /unregister_netdevice: waiting for \S+ to become free/ },
  { family: "other", pattern: /usercopy: Kernel memory (?:exposure|overwrite) attempt detected/i },
  { family: "other", pattern: /ODEBUG: (?:free|activate|init|assert_init|deactivate|destroy)\b.{0,20} (?:active|not available|is on stack|free|destroyed|init|initialized|uninitialized|deleted)/ },
  { family: "other", pattern: /(?:^|\s)rust_kernel: panicked at |^trusty: panic\b/ },
  // Polled, not raised: bit 61 (UC) of the status tells what could not be corrected.
  { family: "machine-check", pattern: /\[Hardware Error\]: (?:CPU \d+: Machine Check(?: Exception: |: [0-9a-f]+ Bank \d+: [2367abef][0-9a-f]{15}$)|event severity: (?:fatal|recoverable)|Machine check: )|Uncorrected (?:hardware memory )?error|synchronous external abort: /i, follows: ["machine-check"] },
  // drivers/edac/edac_mc.c; one that was corrected (CE) is none.
  { family: "machine-check", pattern: /EDAC [A-Za-z]+\d+: [1-9]\d* UE /, follows: ["machine-check"] },
  // drivers/pci/pcie/{aer,err}.c: the link or the device is lost; corrected and non-fatal errors are not.
  { family: "machine-check", pattern: /\S+ [0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]: (?:AER: (?:Multiple )?Uncorrect(?:ed|able) \(Fatal\) error|PCIe Bus Error: severity=Uncorrect(?:ed|able) \(Fatal\))/, follows: ANY, device: true },
  // A subsystem's own words: BUG() without the machine's part, "BUG: please report to …".
  { family: "other", pattern: /^BUG: \S/, follows: ANY, stamped: true },
  // kernel/panic.c
  { family: "panic", pattern: /(?<!end )Kernel panic - not syncing\b/, follows: ANY },
];

/** Five bytes out of each head, for the search in bytes: every row of HEADS holds one of these in all its forms. */
// biome-ignore format: a table
export const ANCHORS: readonly string[] = [
  "BUG: ", " BUG ", "\nBUG ", "Unabl", "Unhan", "Align", "Bad m", "SErro", "Unexp", "CFI f", " [#1]", " [#2]", " [#3]", " [#4]", " [#5]",
  " [#6]", " [#7]", " [#8]", " [#9]", "[#1]:", "[#2]:", "[#3]:", "[#4]:", "[#5]:", "[#6]:", "[#7]:", "[#8]:", "[#9]:", " kthr", "Oops:", "Oops[", "PANIC", "Insuf", "k ove", "s bad", "overr", "WARNI", "refco", "list_", "UBSAN",
  "INFO:", "DEBUG", "LOCKU", "oom-k", "unref", "VFS: ", "unreg", "userc", "rust_", "trust", "dware", "ncorr", "ous e", "panic", "by ta", ": Kil", "(Fata", "EDAC ",
];

/** Lines that quote: a program's own log, the kernel telling what it was given, what was typed at a terminal (drivers/char/ttyprintk.c). */
const QUOTES =
  /^(?:\[U\]|audit(?:\(|: type=)|(?:Kernel )?[Cc]ommand line:|Hardware name:|usb \S+: (?:Product|Manufacturer|SerialNumber):|(?:[\w.-]+ )?(?!kernel\b)[\w./@-]+\[\d+\]: )/;

/** Most lines hold none of the anchors: one look instead of one for each row. */
const MAY_BE_HEAD = new RegExp(ANCHORS.map((anchor) => anchor.replace(/[[\]().*+?^$|\\]/g, "\\$&")).join("|"));

/** Words of the kernel before a head; anything else there is a wrapper's. */
const KERNEL_WORDS = /^(?:rcu|(?:NMI )?watchdog|mce|usercopy|CPU \d+|\S+ invoked|traps|slab)?:? ?$/;

/** What `grep -n`, `grep -H` and their likes put before a line: no blank ends it. */
const GREPPED = /^(?:[\w.~-]*\/[\w./-]+[:-])?(?:\d+[:-])?$/;

/**
 * What a wrapper put before a head: "app_1  | ", "00034 ", "12:". The lines of the report have the same, with other numbers in it.
 */
export function wrapperOf(text: string, { pattern }: Head): RegExp | undefined {
  const at = pattern.exec(text)?.index ?? 0;
  const before = text.slice(0, at);
  if (at === 0 || at > 64 || !(/\S\s+$/.test(before) || GREPPED.test(before)) || KERNEL_WORDS.test(before)) return undefined;
  const form = before.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&").replace(/\s*\d+/g, "\\s*\\d+");
  return new RegExp(`^${form.replace(/(?::|\\-)$/, "[:-]")}`);
}

/** The head that a line is, if it is one; `text` without prefix, `stamped`: a time of the kernel stood before it. */
export function headOf(text: string, stamped = false): Head | undefined {
  if (text.length > 4096 || !MAY_BE_HEAD.test(`\n${text}\n`)) return undefined;
  for (const head of HEADS) {
    if (head.stamped === true && !stamped) continue;
    const match = head.pattern.exec(text);
    if (match === null) continue;
    const quoted = /["'`=]$/.test(text.slice(Math.max(0, match.index - 1), match.index)) || QUOTES.test(text);
    return quoted ? undefined : head;
  }
  return undefined;
}
