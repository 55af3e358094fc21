/**
 * Zstandard frames for tests, with raw and run-length blocks only (RFC 8878, sections 3.1.1.1 and 3.1.1.2). The decoder
 * in use is a foreign one; what is tested is the way it is called.
 */

/** One frame that holds `data`: runs of one byte become RLE blocks, what lies between them raw blocks. */
export function zstdEncode(data: Uint8Array): Uint8Array {
  // Single segment, 4-byte content size.
  const out: number[] = [0x28, 0xb5, 0x2f, 0xfd, 0xa0, data.length & 0xff, (data.length >> 8) & 0xff, (data.length >> 16) & 0xff, 0];
  const block = (start: number, end: number, type: 0 | 1) => {
    const header = ((end - start) << 3) | (type << 1) | (end === data.length ? 1 : 0);
    out.push(header & 0xff, (header >> 8) & 0xff, (header >> 16) & 0xff);
    if (type === 1) out.push(data[start] as number);
    else for (let i = start; i < end; i++) out.push(data[i] as number);
  };
  let rawStart = 0;
  for (let at = 0; at < data.length; ) {
    let end = at + 1;
    while (end < data.length && data[end] === data[at]) end++;
    if (end - at >= 12) {
      if (at > rawStart) block(rawStart, at, 0);
      block(at, end, 1);
      rawStart = end;
    }
    at = end;
  }
  if (rawStart < data.length || data.length === 0) block(rawStart, data.length, 0);
  return Uint8Array.from(out);
}
