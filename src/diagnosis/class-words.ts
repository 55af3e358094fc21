/** What a class is called in a sentence. */
import type { VerdictClass } from "./verdict.ts";

export const CLASS_WORDS: Readonly<Record<VerdictClass, string>> = {
  "null-pointer-dereference": "NULL pointer dereference",
  "err-pointer-dereference": "error pointer used as an address",
  "null-function-call": "call of a NULL function pointer",
  "wild-call": "call of a wrong address",
  "use-after-free": "use after free",
  "double-free": "double free",
  "bad-free": "free of what is no object",
  "type-confusion": "object taken for another type",
  "overwritten-pointer": "pointer overwritten",
  "bit-flip": "flipped bit",
  "wild-pointer": "access to a wrong address",
  "list-corruption": "list corruption",
  "freelist-corruption": "corrupted free list",
  "slab-redzone": "object overwritten beyond its bounds",
  "out-of-bounds": "access out of bounds",
  "uninitialised-value": "use of an uninitialised value",
  "data-race": "data race",
  "undefined-behaviour": "undefined behaviour",
  "stack-overflow": "kernel stack overflow",
  "stack-corruption": "corrupted kernel stack",
  "refcount-underflow": "reference count fell below its users",
  "refcount-overflow": "reference count saturated",
  "divide-error": "division error",
  "invalid-opcode": "invalid instruction",
  "bug-assertion": "BUG() assertion",
  "warning-panic": "warning",
  "locking-rule": "broken locking rule",
  "atomic-sleep": "sleep in atomic context",
  deadlock: "deadlock",
  "self-deadlock": "deadlock with itself",
  "lock-held-by-sleeper": "lock held by a sleeping task",
  "hung-task": "task hung",
  "soft-lockup": "soft lockup",
  "hard-lockup": "hard lockup",
  "rcu-stall": "RCU stall",
  "workqueue-stall": "workqueue stall",
  "stuck-io": "stuck I/O",
  "out-of-memory": "out of memory",
  "oom-of-container": "container out of memory",
  "memory-leak": "memory leak",
  "page-state": "bad page state",
  "hardware-error": "hardware error",
  "filesystem-panic": "panic of a file system",
  "device-panic": "panic of a device",
  panic: "the kernel gave up on purpose",
  "init-killed": "init was killed",
  "user-fault": "fault in user space",
  "untrusted-dump": "dump that cannot be trusted",
  deliberate: "deliberate crash",
  unknown: "unknown",
};

/** The verdict in one line: the class's words and the title, which may begin with them already. */
export function headline({ class: name, title }: { readonly class: VerdictClass; readonly title: string }): string {
  const words = CLASS_WORDS[name];
  const whole = title.toLowerCase().startsWith(words.toLowerCase()) ? title : `${words}: ${title}`;
  return `${whole.charAt(0).toUpperCase()}${whole.slice(1)}`;
}
