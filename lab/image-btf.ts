/**
 * Finds a kernel's own BTF inside its boot image, so that modules can be given split BTF without the kernel's debug packages. An arm64
 * image is the kernel itself; an x86-64 bzImage carries it compressed (Documentation/arch/x86/boot.rst):
 *
 *   0x1f1 u8  setup_sects      0x202 "HdrS"
 *   0x248 u32 payload_offset   (from the end of the set-up sectors)
 *   0x24c u32 payload_length   (its last four bytes are the uncompressed size)
 */

export type Compression = "none" | "gzip" | "xz" | "lz4" | "zstd";

export interface Payload {
  readonly bytes: Uint8Array;
  readonly compression: Compression;
}

const MAGICS: readonly (readonly [Compression, readonly number[]])[] = [
  ["gzip", [0x1f, 0x8b]],
  ["xz", [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0]],
  ["lz4", [0x02, 0x21, 0x4c, 0x18]],
  ["zstd", [0x28, 0xb5, 0x2f, 0xfd]],
];

/** The kernel proper inside a boot image, still compressed. */
export function imagePayload(image: Uint8Array): Payload {
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  if (view.getUint32(0x202, true) !== 0x53726448) return { bytes: image, compression: "none" };
  const start = (view.getUint8(0x1f1) + 1) * 512 + view.getUint32(0x248, true);
  const bytes = image.subarray(start, start + view.getUint32(0x24c, true) - 4);
  const compression = MAGICS.find(([, magic]) => magic.every((byte, index) => bytes[index] === byte))?.[0];
  if (compression === undefined) throw new Error(`the boot image's payload at ${start} has an unknown compression`);
  return { bytes, compression };
}

/** The BTF section in an uncompressed kernel: header {0xeb9f, version 1, flags 0, hdr_len 24, type_off 0, type_len, str_off, str_len}. */
export function findBtf(kernel: Uint8Array): Uint8Array | undefined {
  const bytes = Buffer.from(kernel.buffer, kernel.byteOffset, kernel.byteLength);
  const magic = Buffer.from([0x9f, 0xeb, 1, 0, 24, 0, 0, 0, 0, 0, 0, 0]);
  for (let at = bytes.indexOf(magic); at >= 0; at = bytes.indexOf(magic, at + 1)) {
    if (at + 24 > bytes.length) return undefined;
    const [typeLength, stringOffset, stringLength] = [
      bytes.readUInt32LE(at + 12),
      bytes.readUInt32LE(at + 16),
      bytes.readUInt32LE(at + 20),
    ];
    const end = at + 24 + stringOffset + stringLength;
    if (typeLength === stringOffset && stringLength > 0 && end <= bytes.length) return bytes.subarray(at, end);
  }
  return undefined;
}
