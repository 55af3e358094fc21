/** makedumpfile's flattened streams for tests. */
import { ByteWriter } from "../../bytes/testing/byte-writer.ts";

/** One record. */
export interface TestRecord {
  readonly offset: number;
  readonly data: Uint8Array;
}

/** Composes a stream; without `end` it lacks its end mark. */
export function buildFlattened(records: readonly TestRecord[], options: { readonly end?: boolean } = {}): Uint8Array {
  const writer = new ByteWriter(false).text(0, "makedumpfile").u64(16, 1).u64(24, 1).padTo(4096);
  for (const { offset, data } of records) {
    const at = writer.length;
    writer
      .u64(at, offset)
      .u64(at + 8, data.length)
      .append(data);
  }
  if (options.end !== false) writer.u64(writer.length, -1n).u64(writer.length, -1n);
  return writer.finish();
}

/** Cuts a file into records of `size` bytes in the order that `rearrange` gives. */
export function cutIntoRecords(
  file: Uint8Array,
  size: number,
  rearrange: (records: TestRecord[]) => TestRecord[] = (records) => records,
): TestRecord[] {
  const records: TestRecord[] = [];
  for (let offset = 0; offset < file.length; offset += size) records.push({ offset, data: file.subarray(offset, offset + size) });
  return rearrange(records);
}
