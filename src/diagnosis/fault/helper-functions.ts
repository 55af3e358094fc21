/**
 * Functions that only do what they are told: a fault in one is the fault of what its caller passed. lib/string.c, arch/x86/lib, arch/arm64/lib,
 * lib/list_debug.c; by the names of their symbols with all the prefixes and variants that the machines have.
 */
import { isPassedOver } from "../log-report/passed-over.ts";
import type { Activation } from "./activation.ts";

export interface Helper {
  /** What it does, for people. */
  readonly name: string;
  /** Numbers of the arguments that are pointers it reads and writes. */
  readonly reads: readonly number[];
  readonly writes: readonly number[];
}

const helper = (name: string, reads: readonly number[], writes: readonly number[]): Helper => ({ name, reads, writes });

const HELPERS: readonly (readonly [RegExp, Helper])[] = [
  [/^(?:__|__pi_|__pi___)?mem(?:cpy|move)(?:_orig|_erms|_flushcache|_safe)?$/, helper("memcpy", [1], [0])],
  [/^(?:__|__pi_|__pi___)?memset(?:16|32|64|_orig|_erms)?$/, helper("memset", [], [0])],
  [/^(?:__pi_)?(?:memcmp|bcmp|strcmp|strncmp|strcasecmp|strncasecmp|sysfs_streq)$/, helper("a comparison", [0, 1], [])],
  [
    /^(?:__pi_)?(?:strlen|strnlen|memchr|memchr_inv|memscan|strchr|strchrnul|strrchr|strspn|strcspn|strpbrk|kstrdup|simple_strtoull)$/,
    helper("a search", [0], []),
  ],
  [
    /^(?:strcpy|strncpy|strlcpy|strscpy|sized_strscpy|strscpy_pad|stpcpy|strcat|strncat|strlcat|__real_strscpy)$/,
    helper("a copy of a string", [1], [0]),
  ],
  [/^(?:strstr|strnstr)$/, helper("a search", [0, 1], [])],
  [
    /^(?:copy_user_(?:generic\w*|enhanced_fast_string)|rep_movs_alternative|_?copy_(?:to|from)_user|__arch_copy_(?:to|from)_user|raw_copy_(?:to|from)_user|__copy_user_nocache|copyin|copyout)$/,
    helper("a copy from or to user memory", [1], [0]),
  ],
  [/^(?:clear_page(?:_\w+)?|__memzero|clear_user_rep_good|__clear_user)$/, helper("clearing", [], [0])],
  [/^(?:__pi_)?copy_page(?:_regs|_rep)?$/, helper("a copy of a page", [1], [0])],
  [/^(?:csum_partial(?:_copy_\w+)?|do_csum|ip_fast_csum|crc32c?_\w+|crc32_le|crc32_be)$/, helper("a checksum", [0], [])],
  [/^__list_del_entry_valid(?:_or_report)?$/, helper("the check of list_del()", [0], [])],
  [/^__list_add_valid(?:_or_report)?$/, helper("the check of list_add()", [0, 1, 2], [])],
  [/^(?:string|string_nocheck|pointer|vsnprintf|vscnprintf|format_decode)$/, helper("printing", [], [])],
];

/**
 * A function that does for any caller what the caller asked: the helpers above, and what the kernel has of locks, lists, trees, references,
 * allocation and strings. A module's functions are its own, whatever they are called.
 */
export function isTool(activation: Pick<Activation, "function" | "module"> | undefined): boolean {
  if (activation === undefined) return false;
  const plain = activation.function.replace(/\.(?:cold|isra|constprop|part)(?:\.\d+)?/g, "");
  return helperOf(plain) !== undefined || (activation.module === undefined && isPassedOver(plain, TOOLS));
}

const TOOLS = ["memory", "locking", "helpers", "buffers"] as const;

/** The helper that a function is, by its name without what the compiler adds. */
export function helperOf(name: string): Helper | undefined {
  const plain = name.replace(/\.(?:cold|isra|constprop|part)(?:\.\d+)?/g, "");
  return HELPERS.find(([pattern]) => pattern.test(plain))?.[1];
}
