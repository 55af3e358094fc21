/**
 * Where a flattened makedumpfile stream ends when it was written onto a larger disk:
 *
 *   4096 bytes of header ("makedumpfile", be64 type 1, be64 version 1), then records {be64 offset, be64 size} + bytes;
 *   offset -1 ends the stream
 */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";

const HEADER = 4096;

/** The stream's length in bytes, or undefined when the file holds no complete stream. */
export function flattenedLength(path: string): number | undefined {
  const fd = openSync(path, "r");
  try {
    const record = Buffer.alloc(16);
    readSync(fd, record, 0, 16, 0);
    if (!record.toString("latin1").startsWith("makedumpfile")) return undefined;
    const { size: end } = fstatSync(fd);
    for (let at = HEADER; at + 16 <= end; ) {
      readSync(fd, record, 0, 16, at);
      const offset = record.readBigInt64BE(0);
      const size = record.readBigInt64BE(8);
      at += 16;
      if (offset === -1n) return at;
      if (offset < 0n || size < 0n || size > BigInt(end - at)) return undefined;
      at += Number(size);
    }
    return undefined;
  } finally {
    closeSync(fd);
  }
}
