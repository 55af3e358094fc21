/**
 * What a diagnosis says: one shape for a dump (`analyze`) and for text (`explain`), printed as it is by --json.
 *
 * Observed facts, what follows from them and what is only supposed are kept apart: evidence is observed (each value can be read again from
 * the dump or the text), the story follows from it, alternatives are what else was considered and what refuted it.
 */

/** What killed the kernel, or stopped it. One detector a class; a class is never guessed from a title alone. */
export type VerdictClass =
  | "null-pointer-dereference"
  | "err-pointer-dereference"
  | "null-function-call"
  | "wild-call"
  | "use-after-free"
  | "double-free"
  | "bad-free"
  | "type-confusion"
  | "overwritten-pointer"
  | "bit-flip"
  | "wild-pointer"
  | "list-corruption"
  | "freelist-corruption"
  | "slab-redzone"
  | "out-of-bounds"
  | "uninitialised-value"
  | "data-race"
  | "undefined-behaviour"
  | "stack-overflow"
  | "stack-corruption"
  | "refcount-underflow"
  | "refcount-overflow"
  | "divide-error"
  | "invalid-opcode"
  | "bug-assertion"
  | "warning-panic"
  | "locking-rule"
  | "atomic-sleep"
  | "deadlock"
  | "self-deadlock"
  | "lock-held-by-sleeper"
  | "hung-task"
  | "soft-lockup"
  | "hard-lockup"
  | "rcu-stall"
  | "workqueue-stall"
  | "stuck-io"
  | "out-of-memory"
  | "oom-of-container"
  | "memory-leak"
  | "page-state"
  | "hardware-error"
  | "filesystem-panic"
  | "device-panic"
  | "init-killed"
  /** Code of the kernel's core called panic() on purpose; file systems and drivers have classes of their own. */
  | "panic"
  | "user-fault"
  | "deliberate"
  | "untrusted-dump"
  | "unknown";

/** high: the check that could have refuted it was made and did not; likely, possible: in words, why not more. */
export type Confidence = "high" | "likely" | "possible" | "unknown";

/** How memory was touched. */
export interface Access {
  readonly kind: "read" | "write" | "execute" | "free" | "unknown";
  /** Bytes; undefined when not known. */
  readonly size?: number;
}

/** What is wrong, where, with what, and how sure that is. */
export interface Verdict {
  readonly class: VerdictClass;
  /** One line for people: "tun_get_drvinfo [tun] reads tun->flags with tun = NULL". */
  readonly title: string;
  readonly confidence: Confidence;
  /** Where the fault is to be looked for: the innermost function that means something. */
  readonly function?: string;
  readonly module?: string;
  readonly file?: string;
  readonly line?: number;
  readonly access?: Access;
  readonly address?: bigint;
  readonly object?: {
    readonly type?: string;
    readonly member?: string;
    /** Members of a union that lie at the same place: which of them was meant the code does not tell. */
    readonly sharesPlaceWith?: readonly string[];
    readonly address?: bigint;
    /** "allocated", "free (cpu 1 freelist)", "task stack of 12" … */
    readonly state?: string;
    readonly cache?: string;
  };
  /** Where the bad value came from, in the grammar of the house: `(struct async *)rbx->urb->transfer_buffer [+0x68] at 0xffff…`. */
  readonly origin?: string;
  /** The tasks of a deadlock, who holds and who waits, the CPUs of a lockup. */
  readonly participants?: readonly Participant[];
  /** What could have refuted it, and how that came out; of a dump. */
  readonly checks?: readonly Check[];
}

/** Something that would speak against a verdict if it were not so. */
export interface Check {
  /** "the register holds 0, not an error code". */
  readonly what: string;
  readonly result: "held" | "refuted" | "not possible";
}

/** Who takes part in what happened. */
export interface Participant {
  readonly pid?: number;
  readonly comm?: string;
  readonly cpu?: number;
  /** task_struct. */
  readonly task?: bigint;
  /** "holds stage[0], waits for stage[1]", "running on CPU 1 with interrupts off": a phrase to stand behind the name. */
  readonly role: string;
  readonly holds?: readonly LockName[];
  readonly waitsFor?: LockName;
  /** Seconds. */
  readonly blockedFor?: number;
  /** One of the circle, or the root of the chain; the others only wait behind them. */
  readonly central?: true;
}

/** A lock and where it lies. */
export interface LockName {
  readonly address: bigint;
  /** "mutex", "rw_semaphore", "qspinlock" … */
  readonly kind: string;
  /** Symbol or member where it lies: "rtnl_mutex", "lab_cache.lock". */
  readonly name?: string;
}

/** Something that was read in the dump or in the text, and how to see it again. */
export interface Evidence {
  readonly claim: string;
  /** The command line that shows it, ready to paste; for text the line of the log it stands in. */
  readonly command: string;
  readonly values: readonly { readonly address: bigint; readonly value: bigint }[];
}

/** What else was considered. */
export interface Alternative {
  readonly class: VerdictClass;
  readonly title: string;
  readonly confidence: Confidence;
  /** What speaks against it. */
  readonly refutedBy?: string;
  /** No rival: it is what the verdict looked like to the CPU, or to a watchdog. */
  readonly symptom?: true;
}

/** A frame of the stack that belongs to a verdict. */
export interface VerdictFrame {
  readonly function?: string;
  readonly offset?: number;
  readonly size?: number;
  readonly module?: string;
  readonly file?: string;
  readonly line?: number;
  readonly inlined?: true;
  /** The guilty one. */
  readonly guilty?: true;
  /** Not confirmed by unwind data ("?" of the kernel). */
  readonly doubtful?: true;
}

/** The name of a bug: the same in every dump of it. */
export interface Signature {
  /** Readable: class|function|caller|caller|type.member. */
  readonly text: string;
  /** The first 12 hexadecimal digits of SHA-256 of it. */
  readonly hash: string;
  /** The same of all but the member: what a dump that does not know the type has, of a module without BTF. Weaker: it groups, it proves nothing. */
  readonly kin: string;
}

/** Another task that held a pointer into an object of the fault: where a race would come from; it proves none. */
export interface Sharer {
  readonly pid: number;
  readonly comm: string;
  readonly task: bigint;
  readonly cpu?: number;
  /** It was on a CPU when the kernel stopped. */
  readonly running: boolean;
  /** Function whose frame, or whose registers, hold the pointer. */
  readonly function: string;
  readonly module?: string;
  readonly offset?: number;
  readonly register?: string;
  readonly object: bigint;
  readonly type?: string;
  readonly cache: string;
  readonly pointer: bigint;
}

/** The answer of `analyze` and of `explain` for one report. */
export interface Diagnosis {
  readonly verdict: Verdict;
  /** The first abnormal event: what it is, when, on which CPU, in which task. */
  readonly subject: {
    readonly event: string;
    readonly time?: number;
    readonly cpu?: number;
    readonly pid?: number;
    readonly comm?: string;
  };
  /** Five to ten lines of plain English. */
  readonly story: readonly string[];
  readonly evidence: readonly Evidence[];
  readonly alternatives: readonly Alternative[];
  readonly signature: Signature;
  readonly frames: readonly VerdictFrame[];
  /** Who else had the objects of a fault in hand; absent when nobody, or when nothing faulted. */
  readonly sharers?: readonly Sharer[];
  readonly context: {
    readonly release?: string;
    readonly machine?: string;
    readonly taint?: string;
    readonly hardware?: string;
    /** Detectors that were asked and found no sign of what they look for; of a dump. */
    readonly considered?: readonly string[];
    /** Notes a reader should know: truncated, interleaved, later reports. */
    readonly notes: readonly string[];
  };
}
