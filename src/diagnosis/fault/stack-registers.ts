/**
 * The exceptions that an unwound stack crosses, and which of them the machine died of: the one that the log names, else the outermost whose
 * handler gave up.
 *
 *   panic ◄ oops_end ◄ page_fault_oops ◄ exc_page_fault ◄ asm_exc_page_fault ◄ f+0x85
 *           gave up                                       tells the exception  its registers
 */
import type { RegisterSet } from "../../arch/registers.ts";
import type { VirtualAddress } from "../../bytes/address.ts";
import type { StackFrame, UnwoundStack } from "../../stack/frame.ts";
import type { EventKind } from "../subject/log-events.ts";
import type { LogFacts } from "../subject/log-facts.ts";

/** Entries of the exceptions that can be fatal, by all their names (arch/x86/entry/entry_64.S, arch/x86/include/asm/idtentry.h, arch/arm64/kernel/entry.S). */
const ENTRIES: readonly (readonly [RegExp, EventKind])[] = [
  [/^(?:asm_exc_|async_)?page_fault$/, "page fault"],
  [/^(?:asm_exc_)?general_protection$/, "general protection"],
  [/^(?:asm_exc_)?invalid_op$/, "invalid opcode"],
  [/^(?:asm_exc_)?divide_error$/, "divide error"],
  [/^(?:asm_exc_)?stack_segment$/, "stack segment"],
  [/^(?:asm_exc_)?double_fault$/, "double fault"],
  [/^(?:asm_exc_)?int3$/, "breakpoint"],
  [/^asm_exc_(?:control_protection|alignment_check|bounds|invalid_tss|segment_not_present)$/, "other exception"],
  [/^(?:el1_sync|el1h?_64_sync|el1t_64_sync)$/, "page fault"],
  [/^__bad_stack$/, "stack overflow"],
  [/^(?:el1_error|el1h_64_error)(?:_invalid)?$/, "machine check"],
];

/**
 * arm64's one entry tells all apart in C: what its handler went through does (arch/arm64/kernel/traps.c: do_undefinstr, do_el1_undef since
 * 6.2, 61d64a376ea8). BUG() is no such instruction, it comes as a breakpoint.
 */
const HANDLERS: readonly (readonly [RegExp, EventKind])[] = [[/^(?:do_undefinstr|do_el1_undef|el1_undef)(?:\.\w+)*$/, "invalid opcode"]];

/** The exception by its entry, where that is one for all by its handler. */
function kindOnStack(entry: StackFrame, handler: readonly StackFrame[]): EventKind | undefined {
  const known = ENTRIES.find(([pattern]) => pattern.test(entry.function ?? ""))?.[1];
  if (known !== "page fault") return known;
  return HANDLERS.find(([pattern]) => handler.some(({ function: name }) => pattern.test(name ?? "")))?.[1] ?? known;
}

/** Functions in which a handler has given up. */
export const DYING =
  /^(?:oops_end|page_fault_oops|no_context|bad_area_nosemaphore|die|__die|__die_body|die_addr|die_kernel_fault|__do_kernel_fault|handle_stack_overflow|panic_bad_stack|handle_bad_stack|bad_mode|panic|crash_kexec|__crash_kexec|arm64_serror_panic|bug_handler|do_undefinstr|exc_double_fault)(?:\.\w+)*$/;

/** Functions that stop the CPU or ask for it: registers there are no fault's. */
const STOPPING =
  /^(?:panic|vpanic|crash_kexec|__crash_kexec|crash_save_cpu|machine_kexec|native_machine_crash_shutdown|delay_\w+|__const_udelay|__delay\w*|native_halt|sysrq_handle_crash|nmi_panic)(?:\.\w+)*$/;

const PANICKED = /^(?:v?panic|nmi_panic)(?:\.\w+)*$/;

export interface Candidate {
  readonly frame: number;
  readonly source: "exception frame" | "crash note";
  readonly registers: RegisterSet;
  readonly at?: VirtualAddress;
  readonly kind: EventKind | undefined;
  /** Frames of its handler, from the stop to it. */
  readonly handler: readonly StackFrame[];
}

function candidates(stack: UnwoundStack): readonly Candidate[] {
  const found: Candidate[] = [];
  for (const [frame, { kind, foundBy, registers, function: name }] of stack.frames.entries()) {
    const entry = stack.frames[frame - 1];
    const exception = entry?.exception;
    if (kind === "interrupted" && entry !== undefined && exception !== undefined && !exception.user) {
      const handler = stack.frames.slice((found.at(-1)?.frame ?? -1) + 1, frame);
      found.push({
        frame,
        source: "exception frame",
        // A partial frame's other registers were live when it was pushed: the unwind carried them on.
        registers: exception.partial ? registers : exception.registers,
        at: exception.address,
        kind: kindOnStack(entry, handler),
        handler,
      });
    } else if (frame === 0 && kind === "interrupted" && foundBy === "registers" && !STOPPING.test(name ?? "")) {
      found.push({ frame, source: "crash note", registers, kind: undefined, handler: [] });
    }
  }
  return found;
}

/** The one that the log names; without the log the outermost exception whose handler gave up, else what the crash note holds. */
export function choose(stack: UnwoundStack, logged: VirtualAddress | undefined, facts: LogFacts | undefined): Candidate | undefined {
  const all = candidates(stack);
  if (logged !== undefined) {
    const sp = facts?.registers.get("rsp") ?? facts?.registers.get("sp");
    const there = all.filter(({ registers }) => registers.pc === logged);
    const found = there.find(({ registers }) => sp === undefined || registers.sp === sp) ?? there.at(-1);
    if (found !== undefined) return found;
  }
  const dying = all.filter(({ kind, handler }) => kind !== undefined && handler.some(({ function: name }) => DYING.test(name ?? "")));
  if (dying.length > 0) return dying.at(-1);
  // A CPU that went through panic() was stopped there, whatever its registers are now.
  const stopped = stack.frames.some(({ function: name }) => PANICKED.test(name ?? ""));
  return stopped ? undefined : all.find(({ source }) => source === "crash note");
}
