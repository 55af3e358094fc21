/**
 * The signature of a verdict: class, the innermost meaningful functions, type.member. No addresses, offsets, pids or line numbers, so it
 * stays the same under KASLR and after a rebuild of the same source.
 */
import { sha256 } from "./sha256.ts";
import type { Signature, VerdictClass } from "./verdict.ts";

/** `functions`: the guilty one first, then its callers; at most three are used. */
export function signatureOf(verdict: VerdictClass, functions: readonly string[], member?: string): Signature {
  const text = [verdict, ...functions.slice(0, 3), ...(member === undefined ? [] : [member])].join("|");
  return { text, hash: sha256(text).slice(0, 12) };
}
