/** Fields of a report → the class of the verdict. The class follows from what was printed, never from the title alone. */
import type { VerdictClass } from "../verdict.ts";
import { placeOf } from "./place.ts";
import type { LogReport } from "./report.ts";

const PAGE = 4096n;
const ERR_FLOOR = 0xffff_ffff_ffff_f001n;
const ERR_FLOOR_32 = 0xffff_f001n;

/** Where addresses have 32 bits; of mips there are both, and only these print eight digits. */
function is32Bit({ machine, head }: LogReport): boolean {
  return machine === "i386" || machine === "arm" || (machine === "mips" && !/address [0-9a-f]{9,16}\b/.test(head));
}

export function classOf(report: LogReport): VerdictClass {
  const kind = String(report.fields.kind ?? "");
  switch (report.family) {
    case "oops":
      return oopsClass(report, kind);
    case "warning":
    case "refcount":
    case "list":
      return warningClass(report);
    case "kasan":
    case "kfence":
      return memoryClass(kind === "" ? String(report.fields.shadowMeaning ?? "") : kind);
    case "kmsan":
      return /use-after-free/.test(kind) ? "use-after-free" : "uninitialised-value";
    case "kcsan":
      return "data-race";
    case "ubsan":
      return ubsanClass(`${kind} ${String(report.fields.detail ?? "")}`);
    case "slub":
      return slubClass(kind);
    case "lockdep":
      return lockClass(kind, String(report.fields.spin ?? ""));
    case "context":
      return kind === "preemptible" ? "locking-rule" : "atomic-sleep";
    case "hung-task":
      return "hung-task";
    case "soft-lockup":
      return "soft-lockup";
    case "hard-lockup":
      return "hard-lockup";
    case "rcu-stall":
      return "rcu-stall";
    case "workqueue-lockup":
      return "workqueue-stall";
    case "oom":
      return report.fields.constraint === "CONSTRAINT_MEMCG" ? "oom-of-container" : "out-of-memory";
    case "kmemleak":
      return "memory-leak";
    case "page-state":
      return "page-state";
    case "stack":
      return kind === "unwind" ? "stack-corruption" : "stack-overflow";
    case "machine-check":
      return "hardware-error";
    case "panic": {
      const found = panicClass(report, kind);
      // panic() called by a module's own code.
      return found === "unknown" && kind === "panic" && placeOf(report).module !== undefined ? "device-panic" : found;
    }
    default:
      return kind === "usercopy"
        ? "out-of-bounds"
        : kind === "rust"
          ? "bug-assertion"
          : kind === "odebug"
            ? "warning-panic"
            : kind === "trusty"
              ? "device-panic"
              : "unknown";
  }
}

function oopsClass(report: LogReport, kind: string): VerdictClass {
  const { fields, faultAddress, pc } = report;
  if (fields.sysrq === 1 && /sysrq/.test(pc?.function ?? "")) return "deliberate";
  if (typeof fields.list === "string") return "list-corruption";
  if (fields.usercopy !== undefined) return "out-of-bounds";
  // What it said before the BUG() was lost; lib/list_debug.c, mm/usercopy.c, lib/string_helpers.c.
  const checker = pc?.function ?? "";
  if (kind === "bug" || kind === "opcode") {
    if (/^__list_(?:add|del_entry)_valid/.test(checker)) return "list-corruption";
    if (/^(?:usercopy_abort|__?fortify_panic|fortify_panic)$/.test(checker)) return "out-of-bounds";
  }
  if (kind === "bug") return assertionClass(report);
  if (kind === "divide") return "divide-error";
  if (kind === "opcode") return "invalid-opcode";
  if (kind === "cfi") return "wild-call";
  const address = faultAddress;
  // The memory system failed, not the pointer: "synchronous external abort", "imprecise external abort", a table walk that met one.
  if (
    /external abort|SError|parity or ECC|[Mm]achine check/.test(`${report.head} ${String(fields.die ?? "")} ${String(fields.reason ?? "")}`)
  )
    return "hardware-error";
  if (address !== undefined && isPoison(address)) return "use-after-free";
  if (fields.returned === 1) return "stack-corruption";
  if (fields.access === "execute" || kind === "execute")
    return address === undefined || address < PAGE ? "null-function-call" : "wild-call";
  if (kind === "null" || fields.shadowKind === "null-ptr-deref") return "null-pointer-dereference";
  if (kind === "paging" && address !== undefined) {
    if (address < PAGE) return "null-pointer-dereference";
    // A member's address taken back to its container's: the pointer was NULL, not an error.
    if (fields.nullBase === 1) return "null-pointer-dereference";
    if (address >= ERR_FLOOR || (is32Bit(report) && address >= ERR_FLOOR_32 && address < 1n << 32n)) return "err-pointer-dereference";
    return "wild-pointer";
  }
  // "ret" itself faulted: what it took from the stack is no address (a call's target would stand in another instruction).
  const at = report.code?.bytes[report.code.at];
  if (kind === "protection" && report.machine === "x86_64" && (at === 0xc3 || at === 0xc2)) return "stack-corruption";
  // The CPU was sent to an address that is none: no instruction can be read there ("Code: Unable to access opcode bytes").
  if (kind === "protection" && pc !== undefined && pc.function === undefined && report.code === undefined) return "wild-call";
  if (kind === "die" && /BTI|FPAC|branch target/.test(String(fields.die))) return "wild-call";
  if (kind === "protection" || kind === "stack-segment" || kind === "paging") return "wild-pointer";
  if (kind === "user-access") return "wild-pointer";
  if (kind === "read-only") return "wild-pointer";
  return "unknown";
}

/** BUG() in code that checks what it was given: the class is what the check found. */
function assertionClass({ fields, pc }: LogReport): VerdictClass {
  if (fields.endbr !== undefined) return "wild-call";
  const file = String(fields.file ?? "");
  if (/lib\/list_debug\.c$/.test(file)) return "list-corruption";
  if (/mm\/usercopy\.c$/.test(file) || typeof fields.overflow === "string") return "out-of-bounds";
  if (!/mm\/slub\.c$/.test(file) || !/free/.test(pc?.function ?? "")) return "bug-assertion";
  // set_freepointer(), at the head of the file in every release: "naive detection of double free or corruption" (CONFIG_SLAB_FREELIST_HARDENED,
  // since 4.14). The BUG() of kfree(), at its end, met a page that is no slab's.
  return typeof fields.line === "number" && fields.line < 1200 ? "double-free" : "bad-free";
}

/** What takes an object from the kernel's own caches: its caller gave a size, and no pointer that could be wrong. */
const TAKES_OBJECT = /^(?:__)?kmalloc(?:_(?!large|order)\w+)?$|^__kmalloc_\w+$/;

/** The allocator itself met a bad address, not one near zero. */
export function inAllocator({ family, faultAddress, pc }: LogReport): boolean {
  return family === "oops" && faultAddress !== undefined && faultAddress >= PAGE && TAKES_OBJECT.test(pc?.function ?? "");
}

/** List poison, slab poison, with the offset of a member on top. */
export function isPoison(address: bigint): boolean {
  const slab = address - 0x6b6b_6b6bn;
  if (slab > -4096n && slab < 4096n) return true; // 32 bits
  // arm64 prints the fault address without its tag: 006b6b6b6b6b6b73.
  if (((address >> 24n) & 0xffff_ffffn) === 0x6b6b_6b6bn && [0n, 0x6bn].includes(address >> 56n)) return true;
  const list = address - 0xdead_0000_0000_0100n;
  return list >= -4096n && list < 4096n;
}

function warningClass(report: LogReport): VerdictClass {
  const { fields, pc } = report;
  if (typeof fields.list === "string") return "list-corruption";
  const counter = `${String(fields.refcount ?? "")} ${String(fields.text ?? "")}`;
  if (fields.refcount !== undefined || /^refcount_/.test(pc?.function ?? "") || /lib\/refcount\.c/.test(String(fields.file ?? ""))) {
    return /saturated|leaking/.test(counter) && !/decrement hit 0/.test(counter) ? "refcount-overflow" : "refcount-underflow";
  }
  if (/kernel\/locking\/|mutex|lockdep/.test(String(fields.file ?? "")) || /DEBUG_LOCKS_WARN_ON/.test(counter)) return "locking-rule";
  // include/linux/fortify-string.h (6.1): the write is within the object, beyond the member that was named.
  if (/detected field-spanning write/.test(counter)) return "out-of-bounds";
  // mm/slab.h cache_from_obj(), virt_to_cache(); since 7.0 mm/slub.c warn_free_bad_obj().
  if (/Wrong slab cache|[Oo]bject is not (?:a Slab|in a slab) page|belongs to different cache/.test(counter)) return "bad-free";
  // mm/slab_common.c: what was to be freed is no object of any cache, nor a large one.
  if (pc?.function === "free_large_kmalloc" || pc?.function === "free_large_kmalloc_hook") return "bad-free";
  // kernel/rcu/tree_plugin.h rcu_note_context_switch.
  if (/context switch within RCU read-side/.test(counter)) return "atomic-sleep";
  return "warning-panic";
}

function memoryClass(kind: string): VerdictClass {
  if (/double-free/.test(kind) && !/invalid-free/.test(kind)) return "double-free";
  if (/invalid-free|invalid free|double-free/.test(kind)) return "bad-free";
  // Without a head the shadow byte is left to tell.
  if (/use-after|^freed/.test(kind)) return "use-after-free";
  if (/null-ptr/.test(kind)) return "null-pointer-dereference";
  if (/out-of-bounds|memory corruption|redzone|only the first/.test(kind)) return "out-of-bounds";
  return "wild-pointer";
}

function ubsanClass(text: string): VerdictClass {
  if (/out-of-bounds|out of range|object-size/.test(text)) return "out-of-bounds";
  if (/division|divide/.test(text)) return "divide-error";
  if (/null-ptr|null pointer/.test(text)) return "null-pointer-dereference";
  return "undefined-behaviour";
}

function slubClass(kind: string): VerdictClass {
  // More objects come back than were given out (free_to_partial_list, since 6.5).
  if (/allocated objects but \d+ are to be freed/.test(kind)) return "double-free";
  if (/Poison overwritten|already free/.test(kind)) return /already free/.test(kind) ? "double-free" : "use-after-free";
  if (/[Rr]edzone|padding|corrupt/i.test(kind)) return /[Ff]ree(?:pointer|chain|list)/.test(kind) ? "freelist-corruption" : "slab-redzone";
  if (/[Ii]nvalid object pointer|[Ii]nvalid free/.test(kind)) return "bad-free";
  if (/remaining/.test(kind)) return "memory-leak";
  return "slab-redzone";
}

function lockClass(kind: string, spin: string): VerdictClass {
  if (kind === "circular" || kind === "irq-inversion" || kind === "irq-unsafe-order") return "deadlock";
  if (kind === "recursive") return "self-deadlock";
  if (kind === "spinlock") return /recursion/.test(spin) ? "self-deadlock" : /lockup/.test(spin) ? "deadlock" : "locking-rule";
  if (kind === "freed-lock") return "use-after-free";
  return "locking-rule";
}

function panicClass(report: LogReport, kind: string): VerdictClass {
  if (kind === "stack-protector") return "stack-corruption";
  if (kind === "stack-end") return "stack-overflow";
  if (kind === "init") return "init-killed";
  if (kind === "sysrq") return "deliberate";
  if (kind === "oom") return "out-of-memory";
  if (kind === "machine-check") return "hardware-error";
  if (kind === "root") return "filesystem-panic";
  const text = String(report.fields.text ?? "");
  // arch/x86/kernel/nmi.c unknown_nmi_error: nobody's NMI, with unknown_nmi_panic set; what a hypervisor or a management board sends.
  if (/^NMI: Not continuing/.test(text)) return "deliberate";
  // mm/memory-failure.c, drivers/acpi/apei/ghes.c, drivers/edac, arch/x86/kernel/nmi.c (NMI: IOCK, PCI SERR)
  if (/Memory failure|hardware error|[Uu]ncorrect(?:ed|able)|SError|NMI: (?:IOCK|PCI)|PCI system error/.test(text)) return "hardware-error";
  if (/hung_task/.test(text)) return "hung-task";
  if (/softlockup/.test(text)) return "soft-lockup";
  if (/Hard LOCKUP/i.test(text)) return "hard-lockup";
  if (/RCU Stall/i.test(text)) return "rcu-stall";
  if (/panic_on_warn/.test(text)) return "warning-panic";
  if (/EXT[234]-fs|XFS|BTRFS|[Ff]ilesystem|\bfs\b/.test(text)) return "filesystem-panic";
  return "unknown";
}
