/**
 * The signature of a verdict: class, the innermost meaningful functions, type.member. No addresses, offsets, pids or line numbers, so it
 * stays the same under KASLR and after a rebuild of the same source.
 *
 *   null-pointer-dereference|tun_get_drvinfo|tun_struct.flags                    a module's function: the member says enough
 *   use-after-free|tcp_v4_rcv|ip_protocol_deliver_rcu|ip_local_deliver_finish|sock.sk_prot
 */
import { callersOfNote, isDoor } from "./how-it-came-there.ts";
import { isPassedOver } from "./log-report/passed-over.ts";
import { sha256 } from "./sha256.ts";
import type { Signature, VerdictClass, VerdictFrame } from "./verdict.ts";

/**
 * `functions`: the guilty one first, then its callers; at most three are used. In a module's own function the member says enough: who called
 * it differs with what the compiler inlined or left by a jump. Functions of the kernel's core serve many, whose names tell them apart.
 */
export function signatureOf(verdict: VerdictClass, functions: readonly string[], member?: string, module?: string): Signature {
  const kin = [verdict, ...functions.slice(0, 3)].join("|");
  const places = member !== undefined && module !== undefined ? functions.slice(0, 1) : functions.slice(0, 3);
  const text = [verdict, ...places, ...(member === undefined ? [] : [member])].join("|");
  return { text, hash: shortHash(text), kin: shortHash(kin) };
}

function shortHash(text: string): string {
  return sha256(text).slice(0, 12);
}

/**
 * The guilty function and its meaningful callers, from a stack that begins with the innermost. Inlined frames are left out: only a dump
 * with debug information has them, and the signature must be the same without.
 */
export function meaningfulFunctions(frames: readonly VerdictFrame[], guilty: string | undefined): readonly string[] {
  const names = frames.filter(({ inlined, doubtful }) => inlined !== true && doubtful !== true).flatMap(({ function: name }) => name ?? []);
  // An address that no symbol has is another one in every dump.
  const plain = names.map(plainFunction).filter((name) => !isAddress(name));
  const at = guilty === undefined ? -1 : plain.indexOf(guilty);
  const outwards = (at < 0 ? plain : plain.slice(at + 1)).filter((name) => !isPassedOver(name));
  return guilty === undefined ? outwards : [guilty, ...outwards];
}

/**
 * The guilty function and the callers that name the bug together with it.
 * @param cache of the object: what serves the whole kernel (`__run_timers`) does not name a bug, the kind of object it met does a little
 */
export function namesOf(frames: readonly VerdictFrame[], guilty: string | undefined, cache?: string): readonly string[] {
  const [first, ...callers] = meaningfulFunctions(frames, guilty === undefined || isAddress(guilty) ? undefined : guilty);
  // Damage that nothing met: a cache of its own is a place too, one of a size is none.
  if (first === undefined) return cache === undefined || /kmalloc-/.test(cache) ? [] : [cache];
  if (isDoor(first) && cache !== undefined) return [first, cache];
  // A place that the verdict names by other signs, who freed the object, say, has no callers on this stack.
  if (guilty !== undefined && !frames.some(({ function: name }) => name !== undefined && plainFunction(name) === guilty)) return [first];
  // Of a recursion one is enough: how deep it got is no part of the name.
  return [...new Set([first, ...callersOfNote(callers)])];
}

function isAddress(name: string): boolean {
  return name.startsWith("0x");
}

/** The name in the source: .isra, .constprop, .part and .cold are the compiler's. */
export function plainFunction(name: string): string {
  return name.replace(/\.(?:isra|constprop|part|cold)(?:\.\d+)?/g, "");
}
