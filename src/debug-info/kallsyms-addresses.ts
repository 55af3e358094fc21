/**
 * The address column of the kernel's symbol table, which has had four encodings. Sources: scripts/kallsyms.c and
 * kallsyms_sym_address() in kernel/kallsyms.c.
 *
 *   absolute         u64 address[n]                                      to 4.5, and later without CONFIG_KALLSYMS_BASE_RELATIVE
 *   base-relative    u32 v[n]:  base + v                                 4.6 (2213e9a66bb8); from 6.11 the only one
 *   percpu-absolute  s32 v[n]:  v ≥ 0: v itself, v < 0: base - 1 - v     4.6–6.14, x86-64 with SMP: per-CPU symbols count from zero
 *   place-relative   s32 v[n]:  address of v[i] + v[i]                   7.0; no kallsyms_relative_base any more
 *
 * The encoding is decided by what the numbers say and not by a version: the table is sorted by address, so only the right reading ascends.
 */
import type { VirtualAddress } from "../bytes/address.ts";
import type { SparseBytes } from "./memory-reader.ts";

export type AddressEncoding = "absolute" | "base-relative" | "percpu-absolute" | "place-relative";

/** The decoded column, in table order. */
export interface DecodedAddresses {
  readonly encoding: AddressEncoding;
  readonly addresses: BigUint64Array;
  /** Pairs of neighbours that descend; 0 in a sound table. */
  readonly descents: number;
}

/** Decodes `offsets` (4 bytes each) at `place` in one of the three 32-bit encodings. */
export function decodeOffsets(
  encoding: AddressEncoding,
  raw: Uint8Array,
  count: number,
  place: VirtualAddress,
  base: bigint,
): BigUint64Array {
  const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
  const out = new BigUint64Array(count);
  const belowBase = BigInt.asUintN(64, base - 1n);
  switch (encoding) {
    case "base-relative":
      for (let i = 0; i < count; i++) out[i] = BigInt.asUintN(64, base + BigInt(view.getUint32(i * 4, true)));
      break;
    case "percpu-absolute":
      for (let i = 0; i < count; i++) {
        const value = view.getInt32(i * 4, true);
        out[i] = value >= 0 ? BigInt(value) : BigInt.asUintN(64, belowBase - BigInt(value));
      }
      break;
    case "place-relative":
      for (let i = 0; i < count; i++) out[i] = BigInt.asUintN(64, place + BigInt(i * 4 + view.getInt32(i * 4, true)));
      break;
    case "absolute":
      for (let i = 0; i < count; i++) out[i] = view.getBigUint64(i * 8, true);
      break;
  }
  return out;
}

/** Pairs of neighbours that descend, entries in holes left out. */
function countDescents(addresses: BigUint64Array, readable: (index: number) => boolean): number {
  let descents = 0;
  let last = 0n;
  for (let i = 0; i < addresses.length; i++) {
    if (!readable(i)) continue;
    const here = addresses[i] as bigint;
    if (here < last) descents++;
    last = here;
  }
  return descents;
}

/**
 * Decodes the column in every encoding that its inputs allow and keeps the one that ascends; of two that do, the one that gives the
 * `anchor` symbol its known address.
 */
export function decodeAddresses(
  raw: SparseBytes,
  count: number,
  entrySize: 4 | 8,
  place: VirtualAddress,
  base: bigint | undefined,
  anchor: { readonly index: number; readonly address: bigint } | undefined,
): DecodedAddresses {
  const readable = readableEntries(raw, entrySize);
  const candidates: AddressEncoding[] =
    entrySize === 8 ? ["absolute"] : base === undefined ? ["place-relative"] : ["base-relative", "percpu-absolute", "place-relative"];
  let best: (DecodedAddresses & { readonly score: number }) | undefined;
  for (const encoding of candidates) {
    const addresses = decodeOffsets(encoding, raw.bytes, count, place, base ?? 0n);
    const descents = countDescents(addresses, readable);
    const anchored = anchor === undefined || addresses[anchor.index] === anchor.address;
    const score = descents + (anchored ? 0 : count);
    if (best === undefined || score < best.score) best = { encoding, addresses, descents, score };
    if (score === 0) break;
  }
  // The list of candidates is never empty.
  return best as DecodedAddresses;
}

/** Tells which entries could be read; cheap when all could. */
export function readableEntries(raw: SparseBytes, entrySize: number): (index: number) => boolean {
  if (raw.holes.length === 0) return () => true;
  return (index) => !raw.holes.some(([start, end]) => index * entrySize < end && (index + 1) * entrySize > start);
}
