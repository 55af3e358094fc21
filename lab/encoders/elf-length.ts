/** How long an ELF file is by its own headers, when it was written onto a larger disk. */
import { closeSync, openSync, readSync } from "node:fs";

/** The end of the last segment, header table or section table. */
export function elfLength(path: string): number {
  const fd = openSync(path, "r");
  try {
    const header = Buffer.alloc(64);
    readSync(fd, header, 0, 64, 0);
    if (header.readUInt32BE(0) !== 0x7f454c46) throw new Error(`${path} does not begin like an ELF file`);
    const [table, size, count] = [Number(header.readBigUInt64LE(0x20)), header.readUInt16LE(0x36), header.readUInt16LE(0x38)];
    const segments = Buffer.alloc(size * count);
    readSync(fd, segments, 0, segments.length, table);
    let end = table + segments.length;
    for (let at = 0; at < segments.length; at += size) {
      end = Math.max(end, Number(segments.readBigUInt64LE(at + 8)) + Number(segments.readBigUInt64LE(at + 32)));
    }
    return end;
  } finally {
    closeSync(fd);
  }
}
