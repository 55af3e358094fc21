/**
 * For the score only: our verdict of a report in the words of the labelled logs (titles and types of the syzkaller project), whose names
 * for kinds differ from ours. Nothing of this is used by the tool.
 */
import { explainReport } from "../../../src/diagnosis/log-report/explain.ts";
import type { LogReport } from "../../../src/diagnosis/log-report/report.ts";

export interface Titled {
  readonly title: string;
  readonly type: string;
  readonly function: string | undefined;
  readonly corrupted: boolean;
}

const UNUSABLE = "corrupted";

/** The names a system call had in the kernel's ages: __x64_sys_x is sys_x, SyS_x is x. */
function systemCall(name: string): string {
  return name.replace(/^__(?:x64|ia32|arm64|s390x|riscv|se|do)_(?:compat_)?sys_/, "sys_").replace(/^(?:compat_)?SyS_/, "");
}

export function titled(report: LogReport): Titled {
  const { verdict } = explainReport(report);
  const { fields, family } = report;
  const kind = String(fields.kind ?? "");
  const place = systemCall(verdict.function ?? "") || undefined;
  const where = place ?? UNUSABLE;
  const access = verdict.access?.kind === "write" ? " Write" : verdict.access?.kind === "read" ? " Read" : "";
  const damaged = report.damage.length > 0;
  const make = (title: string, type: string, own: string | null | undefined = where): Titled => ({
    title,
    type,
    function: own ?? undefined,
    corrupted: damaged || own === UNUSABLE,
  });
  switch (family) {
    case "kasan": {
      if (verdict.access?.kind === "free")
        return make(`KASAN: ${/double-free/.test(kind) ? "invalid-free" : kind} in ${where}`, "KASAN-INVALID-FREE");
      const write = access === " Write" ? "WRITE" : "READ";
      const type = /use-after-free/.test(kind)
        ? `KASAN-USE-AFTER-FREE-${write}`
        : /null-ptr/.test(kind)
          ? `KASAN-NULL-POINTER-DEREFERENCE-${write}`
          : `KASAN-${write}`;
      return make(`KASAN: ${kind}${access} in ${where}`, type);
    }
    case "kfence": {
      const type =
        verdict.access?.kind === "free"
          ? "KFENCE-INVALID-FREE"
          : /use-after-free/.test(kind)
            ? `KFENCE-USE-AFTER-FREE-${access.trim().toUpperCase()}`
            : /memory corruption/.test(kind)
              ? "KFENCE-MEMORY-CORRUPTION"
              : kind === "invalid"
                ? `KFENCE-INVALID-${access.trim().toUpperCase()}`
                : `KFENCE-${access.trim().toUpperCase()}`;
      return make(`KFENCE: ${kind}${access.toLowerCase()} in ${where}`, type);
    }
    case "kmsan":
      return make(
        `KMSAN: ${kind} in ${where}`,
        /uninit-value/.test(kind) ? "KMSAN-UNINIT-VALUE" : /infoleak/.test(kind) ? "KMSAN-INFO-LEAK" : "KMSAN-USE-AFTER-FREE-READ",
      );
    case "kcsan":
      return make(
        `KCSAN: ${kind} in ${fields.second === undefined ? where : `${String(fields.first)} / ${String(fields.second)}`}`,
        /assert/.test(kind) ? "KCSAN-ASSERT" : "KCSAN-DATARACE",
      );
    case "ubsan": {
      const name = /Undefined behaviour/.test(kind) ? "undefined-behaviour" : kind;
      return make(`UBSAN: ${name} in ${where}`, /array-index/.test(name) ? "MEMORY_SAFETY_UBSAN" : "UBSAN");
    }
    case "oops":
      return oopsTitle(report, where, make);
    case "warning":
    case "refcount":
    case "list":
      return warningTitle(report, where, make);
    case "lockdep":
      return lockTitle(report, place, make);
    case "context":
      if (kind === "scheduling") return make(`BUG: scheduling while atomic in ${where}`, "ATOMIC_SLEEP");
      if (kind === "sleeping") return make(`BUG: sleeping function called from invalid context in ${where}`, "ATOMIC_SLEEP");
      return make(`BUG: using ${String(fields.using ?? "")} in preemptible code in ${where}`, "LOCKDEP");
    case "hung-task":
      return make(kind === "can't die" ? `INFO: task can't die in ${where}` : `INFO: task hung in ${where}`, "HANG");
    case "rcu-stall":
      return make(`INFO: rcu detected stall in ${where}`, "HANG");
    case "soft-lockup":
      return make(`BUG: soft lockup in ${where}`, "HANG");
    case "hard-lockup":
      return make(`BUG: hard lockup in ${where}`, "HANG");
    case "workqueue-lockup":
      return make("BUG: workqueue lockup", "HANG", null);
    case "kmemleak":
      return make(`memory leak in ${where}`, "LEAK");
    case "page-state":
      return make(
        /state/.test(kind)
          ? `BUG: Bad page state in ${where}`
          : `BUG: ${/rss/.test(kind) ? "Bad rss-counter state" : /non-zero/.test(kind) ? `${kind} on freeing mm` : kind}`,
        "",
        /state|map|cache/.test(kind) && !/rss/.test(kind) ? undefined : null,
      );
    case "stack":
      if (kind === "guard") return make(`BUG: stack guard page was hit in ${where}`, "");
      if (kind === "double-fault") return make(`PANIC: double fault in ${where}`, "DoS");
      if (kind === "overflow") return make(`kernel stack overflow in ${where}`, "DoS");
      return make(report.head, /^WARNING: /.test(report.head) ? "WARNING" : "", null);
    case "panic": {
      const text = String(fields.text ?? "").replace(/\s*\.\.\.$/, "");
      if (kind === "stack-protector") return make(`kernel panic: stack is corrupted in ${where}`, "DoS");
      if (kind === "stack-end") return make(`kernel panic: corrupted stack end in ${where}`, "DoS");
      return make(`kernel panic: ${text.replace(/0x[0-9a-f]+|\b[0-9a-f]{8,16}\b/g, "ADDR").replace(/\b\d+\b/g, "NUM")}`, "DoS", null);
    }
    case "other":
      if (kind === "dentry")
        return make(
          `BUG: Dentry still in use in ${/^(\w+)/.exec(String(fields.text))?.[1] ?? where}`,
          "",
          /^(\w+)/.exec(String(fields.text))?.[1],
        );
      if (kind === "trusty") {
        const assert = /ASSERT FAILED at \(?.*:\d+\)?: ?(.*)$/.exec(String(fields.text));
        return make(
          assert === null ? `trusty: panic: ${String(fields.text).replace(/\b\d+\b/g, "NUM")}` : `trusty: ASSERT FAILED: ${assert[1]}`,
          "DoS",
          null,
        );
      }
      if (kind === "rust") return make(`${String(fields.text)} in ${where}`, "");
      if (kind === "usercopy") return make(`BUG: bad usercopy in ${where}`, "MEMORY_SAFETY_BUG");
      if (kind === "odebug") return make(`WARNING: ODEBUG bug in ${where}`, "WARNING");
      if (kind === "netdevice") return make("unregister_netdevice: waiting for DEV to become free", "DoS", null);
      return make(report.head, "", null);
    case "slub":
      return make(`BUG: ${kind} in ${where}`, "");
    default:
      return make(report.head, "", null);
  }
}

type Make = (title: string, type: string, own?: string | null) => Titled;

function oopsTitle(report: LogReport, where: string, make: Make): Titled {
  const { fields, head } = report;
  if (typeof fields.list === "string") return make(`BUG: corrupted list in ${where}`, "MEMORY_SAFETY_BUG");
  if (fields.usercopy !== undefined) return make(`BUG: bad usercopy in ${where}`, "MEMORY_SAFETY_BUG");
  if (/kernel BUG at|BUG: failure/i.test(head)) return make(`kernel BUG in ${where}`, "BUG");
  if (/NULL pointer/i.test(head))
    return make(`BUG: unable to handle kernel NULL pointer dereference in ${where}`, "NULL-POINTER-DEREFERENCE");
  if (/user memory/.test(head)) return make(`BUG: unable to handle kernel access to user memory in ${where}`, "MEMORY_SAFETY_BUG");
  if (/unable to handle (?:kernel |page fault)/i.test(head))
    return make(`BUG: unable to handle kernel paging request in ${where}`, "MEMORY_SAFETY_BUG");
  const plain = /(general protection fault|divide.error|invalid opcode|stack segment fault|stack segment|int3|alignment check)/.exec(
    head,
  )?.[1];
  if (plain !== undefined)
    return make(`${plain.replace("divide_error", "divide error").replace(/^stack segment$/, "stack segment fault")} in ${where}`, "DoS");
  if (/Internal error/.test(head)) return make(`Internal error in ${where}`, "DoS");
  if (/Unhandled fault/.test(head)) return make(`Unhandled fault in ${where}`, "DoS");
  return make(`${head.replace(/[:(].*$/, "")} in ${where}`, "DoS");
}

function warningTitle(report: LogReport, where: string, make: Make): Titled {
  const { fields, pc } = report;
  const file = String(fields.file ?? "");
  const name = pc?.function ?? "";
  if (typeof fields.list === "string") return make(`BUG: corrupted list in ${where}`, "MEMORY_SAFETY_BUG");
  if (/lib\/refcount\.c/.test(file) || fields.refcount !== undefined) return make(`WARNING: refcount bug in ${where}`, "REFCOUNT_WARNING");
  if (/lib\/debugobjects\.c/.test(file)) return make(`WARNING: ODEBUG bug in ${where}`, "WARNING");
  if (/lib\/kobject\.c/.test(file)) return make(`WARNING: kobject bug in ${where}`, "WARNING");
  if (/mm\/usercopy\.c/.test(file)) return make(`WARNING: bad usercopy in ${where}`, "WARNING");
  if (/kernel\/locking\/|kernel\/lockdep/.test(file)) return make(`WARNING: locking bug in ${where}`, "LOCKDEP");
  if (/fs\/proc\/generic\.c/.test(file)) return make(`WARNING: proc registration bug in ${where}`, "WARNING");
  if (/mm\/(?:slab|page_alloc|util|slub)/.test(file) && /kmalloc|alloc_pages|kvmalloc/.test(name))
    return make(`WARNING: kmalloc bug in ${where}`, "WARNING");
  if (/mm\/vmalloc\.c/.test(file)) return make(`WARNING: zero-size vmalloc in ${where}`, "WARNING");
  // They name the scheduler's own check, we the function that slept.
  if (name === "rcu_note_context_switch") return make(`WARNING in ${name}`, "WARNING", name);
  if (/usb_submit_urb/.test(name)) return make(`WARNING in ${where}/usb_submit_urb`, "WARNING");
  return make(`WARNING in ${where}`, "WARNING");
}

function lockTitle(report: LogReport, place: string | undefined, make: Make): Titled {
  const { fields, head } = report;
  const kind = String(fields.kind ?? "");
  const where = place ?? UNUSABLE;
  // What a report of another kind fell into is named by its first line there.
  const broken =
    place === undefined || (kind === "rcu-usage" && report.damage.some((reason) => /fault injection|begins inside/.test(reason)));
  if (broken && /^WARNING: /.test(head)) return make(head, "WARNING", null);
  const word = /\[ INFO/.test(head) ? "INFO" : "WARNING";
  // Until 4.10 these began with BUG.
  const loud = /BUG: /.test(head) ? "BUG" : "WARNING";
  switch (kind) {
    case "circular":
    case "recursive":
    case "irq-inversion":
    case "irq-unsafe-order":
      return make(`possible deadlock in ${where}`, "LOCKDEP");
    case "inconsistent-state":
      return make(`inconsistent lock state in ${where}`, "LOCKDEP");
    case "rcu-usage":
      return make(`${word}: suspicious RCU usage in ${where}`, word === "INFO" ? "" : "LOCKDEP");
    case "unlock-balance":
      return make(`${loud}: bad unlock balance in ${where}`, "LOCKDEP");
    case "freed-lock":
      return make(`${loud}: held lock freed in ${where}`, "LOCKDEP");
    case "locks-held":
      return make(`${loud}: still has locks held in ${where}`, "LOCKDEP");
    case "lock-held-at-exit":
      return make(`${loud}: lock held when returning to user space in ${where}`, "LOCKDEP");
    case "nested-lock":
      return make(`WARNING: nested lock was not taken in ${where}`, "LOCKDEP");
    case "unregistered-key":
      return make(`INFO: trying to register non-static key in ${where}`, "");
    case "wait-context":
      return make(`WARNING: locking bug in ${where}`, "LOCKDEP");
    case "limit":
      return make(head.replace(/!$/, ""), "", null);
    case "workqueue-leak":
      return make(`BUG: workqueue leaked lock or atomic in ${where}`, "LOCKDEP");
    case "spinlock":
      return make(`BUG: ${String(fields.spin)} in ${where}`, "LOCKDEP");
    default:
      return make(`${head} in ${where}`, "LOCKDEP");
  }
}
