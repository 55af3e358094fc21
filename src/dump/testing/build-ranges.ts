/** LiME and AVML images for tests. */
import { ByteWriter } from "../../bytes/testing/byte-writer.ts";
import { type FrameStreamOptions, snappyFramesEncode } from "../../bytes/testing/snappy-frames-encode.ts";

/** A range of physical memory. */
export interface TestRange {
  readonly start: number;
  readonly data: Uint8Array;
}

function rangeHeader(writer: ByteWriter, magic: number, version: number, { start, data }: TestRange): void {
  const at = writer.length;
  writer
    .u32(at, magic)
    .u32(at + 4, version)
    .words(at + 8, [start, start + data.length - 1, 0]);
}

/** A LiME image. */
export function buildLime(ranges: readonly TestRange[]): Uint8Array {
  const writer = new ByteWriter();
  for (const range of ranges) {
    rangeHeader(writer, 0x4c694d45, 1, range);
    writer.append(range.data);
  }
  return writer.finish();
}

/** An AVML image of version 2. */
export function buildAvml(ranges: readonly TestRange[], options: FrameStreamOptions = {}): Uint8Array {
  const writer = new ByteWriter();
  for (const range of ranges) {
    rangeHeader(writer, 0x4c4d5641, 2, range);
    const stream = snappyFramesEncode(range.data, options);
    writer.append(stream);
    writer.u64(writer.length, stream.length);
  }
  return writer.finish();
}
