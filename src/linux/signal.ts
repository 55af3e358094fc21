/**
 * Signals (include/linux/sched/signal.h): what a task does with each, and which wait for it.
 *
 *   task_struct ─┬─ sighand ─► sighand_struct.action[64]: k_sigaction.sa { sa_handler, sa_flags, sa_restorer, sa_mask }
 *                ├─ pending { list ⇄ sigqueue.list …, signal }      this thread's own
 *                ├─ blocked
 *                └─ signal ─► signal_struct { shared_pending, nr_threads, rlim[] }
 *
 *   sigqueue.info: kernel_siginfo since 4.20 (ae7795bc6187); its first member is si_signo in all
 *   queued signals of the user: cred.user.sigpending; since 5.14 (d64696905554) cred.ucounts.rlimit[UCOUNT_RLIMIT_SIGPENDING]
 */
import { add, type VirtualAddress, virtual } from "../bytes/address.ts";
import { LookupError } from "../bytes/errors.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { Struct } from "../kernel/types.ts";
import { attempt, gather } from "./gather.ts";
import { listNodes } from "./list.ts";

/** _NSIG of x86-64 and arm64. */
export const SIGNALS = 64;
/** RLIMIT_SIGPENDING bounds it; 2^20 is more than any distribution sets. */
const MAX_QUEUED = 1 << 20;
const RLIMIT_SIGPENDING = 11;

/** Names by number as signal(7) has them, with the second name that some have. */
const NAMES =
  "HUP INT QUIT ILL TRAP ABRT/IOT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD/CLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO/POLL PWR SYS/UNUSED".split(
    " ",
  );

/** "SIGABRT/SIGIOT", "SIGRTMIN+3"; numbers from 1. */
export function signalNames(signal: number): string {
  const plain = NAMES[signal - 1];
  if (plain !== undefined)
    return plain
      .split("/")
      .map((name) => `SIG${name}`)
      .join("/");
  const up = signal - 32;
  // The upper half of the realtime signals is named from its end.
  if (up <= 16) return up === 0 ? "SIGRTMIN" : `SIGRTMIN+${up}`;
  return signal === SIGNALS ? "SIGRTMAX" : `SIGRTMAX-${SIGNALS - signal}`;
}

/** One name: "SIGABRT". */
export function signalName(signal: number): string {
  return signalNames(signal).split("/")[0] as string;
}

/** Numbers of the signals in a sigset_t: bit 0 is signal 1. */
export function signalsIn(set: bigint): readonly number[] {
  return Array.from({ length: SIGNALS }, (_, i) => i + 1).filter((signal) => ((set >> BigInt(signal - 1)) & 1n) === 1n);
}

/** include/uapi/asm-generic/signal-defs.h; the libc's own flag first, as crash has it. */
const FLAGS: readonly (readonly [bigint, string])[] = [
  [0x0400_0000n, "SA_RESTORER"],
  [0x1n, "SA_NOCLDSTOP"],
  [0x2n, "SA_NOCLDWAIT"],
  [0x4n, "SA_SIGINFO"],
  [0x800n, "SA_EXPOSE_TAGBITS"],
  [0x0100_0000n, "SA_IMMUTABLE"],
  [0x0800_0000n, "SA_ONSTACK"],
  [0x1000_0000n, "SA_RESTART"],
  [0x4000_0000n, "SA_NODEFER"],
  [0x8000_0000n, "SA_RESETHAND"],
];

/** Names of sigaction's flags. */
export function actionFlags(flags: bigint): readonly string[] {
  return FLAGS.filter(([bit]) => (flags & bit) !== 0n).map(([, name]) => name);
}

/** What a task does with one signal. */
export interface SignalAction {
  readonly signal: number;
  /** struct k_sigaction. */
  readonly address: VirtualAddress;
  /** 0 default, 1 ignored, else the user's function. */
  readonly handler: bigint;
  readonly mask: bigint;
  readonly flags: bigint;
}

/** Signals that wait to be delivered. */
export interface PendingSignals {
  readonly set: bigint;
  /** In the order of delivery. */
  readonly queue: readonly { readonly signal: number; readonly info: VirtualAddress }[];
}

/** What a task does with signals, which are blocked, and which wait. */
export interface TaskSignals {
  /** struct signal_struct; 0 of a task that is gone. */
  readonly signal: VirtualAddress;
  readonly threads: number | undefined;
  readonly actions: readonly SignalAction[];
  readonly blocked: bigint;
  readonly own: PendingSignals;
  readonly shared: PendingSignals;
  /** Signals queued for the task's user, and the limit. */
  readonly queued: number | undefined;
  readonly limit: bigint | undefined;
}

/** @throws FaultError when the task itself cannot be read, LookupError without the types */
export function taskSignals(kernel: Kernel, task: VirtualAddress, notes: string[]): TaskSignals {
  const struct = kernel.types.struct("task_struct");
  const where = `task ${task.toString(16)}`;
  const signal = struct.field("signal").pointer(task);
  const sighand = struct.field("sighand").pointer(task);
  const type = kernel.types.struct("signal_struct");
  const shared = type.field("shared_pending");
  return {
    signal,
    threads: signal === 0n ? undefined : attempt(() => type.tryField("nr_threads")?.number(signal), notes, where),
    actions: sighand === 0n ? [] : (attempt(() => actions(kernel, sighand), notes, `${where}, sighand_struct`) ?? []),
    blocked: kernel.memory.u64(struct.field("blocked").address(task)),
    own: pending(kernel, struct.field("pending").address(task), notes, `${where}, pending`),
    shared: signal === 0n ? { set: 0n, queue: [] } : pending(kernel, shared.address(signal), notes, `${where}, shared_pending`),
    queued: attempt(() => queuedSignals(kernel, struct, task), notes, `${where}, cred`),
    limit: signal === 0n ? undefined : attempt(() => pendingLimit(kernel, type, signal), notes, where),
  };
}

function actions(kernel: Kernel, sighand: VirtualAddress): readonly SignalAction[] {
  const array = kernel.types.struct("sighand_struct").field("action");
  const type = kernel.types.struct("k_sigaction");
  const bytes = kernel.memory.bytes(array.address(sighand), Math.min(array.size, SIGNALS * type.size));
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [handler, flags, mask] = ["sa.sa_handler", "sa.sa_flags", "sa.sa_mask"].map((path) => type.field(path).offset) as [
    number,
    number,
    number,
  ];
  return Array.from({ length: Math.floor(bytes.length / type.size) }, (_, i) => ({
    signal: i + 1,
    address: add(array.address(sighand), i * type.size),
    handler: view.getBigUint64(i * type.size + handler, true),
    mask: view.getBigUint64(i * type.size + mask, true),
    flags: view.getBigUint64(i * type.size + flags, true),
  }));
}

function pending(kernel: Kernel, at: VirtualAddress, notes: string[], where: string): PendingSignals {
  const type = kernel.types.struct("sigpending");
  const queue = kernel.types.struct("sigqueue");
  const info = queue.field("info");
  const set = attempt(() => kernel.memory.u64(type.field("signal").address(at)), notes, where) ?? 0n;
  const head = type.field("list").address(at);
  // A list_head at the start of sigqueue; its place is asked for all the same.
  const link = queue.field("list").offset;
  const nodes = gather(listNodes(kernel.memory, head, { limit: MAX_QUEUED }), notes, where);
  return {
    set,
    queue: nodes.flatMap((node) => {
      const entry = info.address(virtual(node - BigInt(link)));
      const signal = attempt(() => kernel.memory.s32(entry), notes, where);
      return signal === undefined ? [] : [{ signal, info: entry }];
    }),
  };
}

function queuedSignals(kernel: Kernel, struct: Struct, task: VirtualAddress): number | undefined {
  const cred = struct.field("real_cred").pointer(task);
  const type = kernel.types.struct("cred");
  const ucounts = kernel.types.tryStruct("ucounts");
  // enum rlimit_type since 5.19 (de399236e240), enum ucount_type before.
  const index = kernel.types.constant("UCOUNT_RLIMIT_SIGPENDING");
  const counters = ucounts?.firstField("rlimit", "ucount");
  const own = type.tryField("ucounts");
  if (own !== undefined && counters !== undefined && index !== undefined)
    return Number(kernel.memory.s64(add(counters.address(own.pointer(cred)), Number(index) * 8)));
  const user = type.tryField("user")?.pointer(cred);
  return user === undefined ? undefined : kernel.types.struct("user_struct").tryField("sigpending")?.number(user);
}

function pendingLimit(kernel: Kernel, type: Struct, signal: VirtualAddress): bigint | undefined {
  const rlimits = type.tryField("rlim");
  return rlimits === undefined ? undefined : kernel.memory.u64(add(rlimits.address(signal), RLIMIT_SIGPENDING * 16));
}

/** Checks that a kernel's types allow it. @throws LookupError */
export function requireSignals(kernel: Kernel): void {
  for (const name of ["signal_struct", "sighand_struct", "sigpending", "sigqueue", "k_sigaction"])
    if (kernel.types.tryStruct(name) === undefined)
      throw kernel.types.lack ?? new LookupError(`signals cannot be read: struct ${name} is not known`);
}
