/**
 * Zstandard frames (RFC 8878) through the WebAssembly build in the `zstddec` package: decoding is synchronous, making the module
 * ready is not. It costs some 10 ms and 1 MiB, so only a dump that has zstd pages pays for it (openDump awaits prepareZstd then).
 */
import type { ZSTDDecoder } from "zstddec";

let decoder: ZSTDDecoder | undefined;

/** Loads the decoder; afterwards zstdInto works. Calling it again costs nothing. */
export async function prepareZstd(): Promise<void> {
  if (decoder !== undefined) return;
  const module = await import("zstddec");
  const fresh = new module.ZSTDDecoder();
  await fresh.init();
  decoder = fresh;
}

/** Decodes `input` into `target`, which it must fill exactly. Returns undefined on success, else what is wrong. Never throws. */
export function zstdInto(input: Uint8Array, target: Uint8Array): string | undefined {
  if (decoder === undefined) return "zstd: a page in a dump that does not announce zstd";
  // A length of 0 would make the decoder trust the frame's own size.
  if (input.length === 0) return "zstd: no input";
  const output = decoder.decode(input, target.length);
  if (output.length !== target.length) return `zstd: corrupt, or not ${target.length} bytes`;
  target.set(output);
  return undefined;
}
