/** Completion of words that a command takes at a place and that are neither symbols nor types: slab caches, policies, kinds of locks. */
import { DECODABLE_KINDS } from "../../linux/locking/lock.ts";
import { POLICY_NAMES } from "../../linux/scheduler-policy.ts";
import { slabCaches } from "../../linux/slab-caches.ts";
import type { Session } from "../command.ts";
import { SOCKET_FAMILIES } from "../net/sockets.ts";

/**
 * What may follow; undefined where nothing particular is expected.
 * @param words the line so far, the command's name first, without the word that is being typed
 */
export function operandWords(session: Session, name: string, words: readonly string[]): readonly string[] | undefined {
  const previous = words.at(-1) ?? "";
  switch (name) {
    case "slab":
      return words.length === 1 ? ["owners", "objects"] : cacheNames(session);
    case "kmem":
      return words.some((word) => /^-[sSrI]/.test(word)) ? cacheNames(session) : undefined;
    case "lock":
      return previous === "--type" ? DECODABLE_KINDS : undefined;
    case "ps":
      return previous === "-y" ? POLICY_NAMES : undefined;
    case "net":
      return words.includes("--sockets") ? SOCKET_FAMILIES : undefined;
    default:
      return undefined;
  }
}

function cacheNames({ kernel }: Session): readonly string[] {
  return slabCaches(kernel).caches.map(({ name }) => name);
}
