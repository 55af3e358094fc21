/** The compressions of KDUMP pages by their flag (makedumpfile's diskdump_mod.h): one bit names the codec, none means raw. */
import { inflateInto } from "./inflate-node.ts";
import { lzo1xInto } from "./lzo1x.ts";
import { snappyInto } from "./snappy.ts";
import { zstdInto } from "./zstd.ts";

export const PAGE_RAW = 0;
export const PAGE_ZLIB = 0x1;
export const PAGE_LZO = 0x2;
export const PAGE_SNAPPY = 0x4;
export const PAGE_ZSTD = 0x20;

/** Decompresses one page into `target`, which it must fill exactly. Returns undefined on success, else what is wrong. Never throws. */
export function decodePage(flags: number, input: Uint8Array, target: Uint8Array): string | undefined {
  switch (flags) {
    case PAGE_ZLIB:
      return inflateInto(input, target);
    case PAGE_LZO:
      return lzo1xInto(input, target);
    case PAGE_SNAPPY:
      return snappyInto(input, target);
    case PAGE_ZSTD:
      return zstdInto(input, target);
    default:
      return `unknown compression 0x${flags.toString(16)}`;
  }
}
