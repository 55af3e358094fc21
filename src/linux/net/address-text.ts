/** Addresses of the network as text: IPv4, IPv6 (RFC 5952), hardware addresses. All take the bytes in network order. */

/** "127.0.0.1" */
export function ipv4Text(bytes: Uint8Array, at = 0): string {
  return Array.from(bytes.subarray(at, at + 4)).join(".");
}

/** An IPv4 address as the kernel keeps it in a __be32 that was read as a little-endian number. */
export function ipv4OfWord(word: number): string {
  return `${word & 0xff}.${(word >>> 8) & 0xff}.${(word >>> 16) & 0xff}.${word >>> 24}`;
}

function groupsOf(bytes: Uint8Array): number[] {
  return Array.from({ length: 8 }, (_, i) => ((bytes[i * 2] ?? 0) << 8) | (bytes[i * 2 + 1] ?? 0));
}

/** All eight groups, as crash shows the ends of a socket: "0:0:0:0:0:0:0:1". */
export function ipv6Groups(bytes: Uint8Array): string {
  return groupsOf(bytes)
    .map((group) => group.toString(16))
    .join(":");
}

/** The short form of RFC 5952: "fe80::1", "::", "::ffff:10.0.0.1". */
export function ipv6Text(bytes: Uint8Array): string {
  const groups = groupsOf(bytes);
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff) return `::ffff:${ipv4Text(bytes, 12)}`;
  // The longest run of zeros, the first of several, and never a single one (§4.2).
  let best = { start: -1, length: 1 };
  for (let start = 0; start < 8; start++) {
    let end = start;
    while (end < 8 && groups[end] === 0) end++;
    if (end - start > best.length) best = { start, length: end - start };
  }
  const text = (from: number, to: number) =>
    groups
      .slice(from, to)
      .map((group) => group.toString(16))
      .join(":");
  return best.start < 0 ? text(0, 8) : `${text(0, best.start)}::${text(best.start + best.length, 8)}`;
}

/** "02:11:22:33:44:55" */
export function hardwareText(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(":");
}

/** A 16-bit number of the network that was read as a little-endian one. */
export function swap16(value: number): number {
  return ((value & 0xff) << 8) | ((value >> 8) & 0xff);
}
