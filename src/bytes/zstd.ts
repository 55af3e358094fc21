/**
 * Zstandard frames (RFC 8878) through the WebAssembly build in the `zstddec` package: decoding is synchronous, making the module
 * ready is not. It costs some 10 ms and 1 MiB, so only a dump that has zstd pages pays for it (openDump awaits prepareZstd then).
 */
import type { ZSTDDecoder } from "zstddec";
import { interruptions } from "./interruption.ts";

let decoder: ZSTDDecoder | undefined;
type Instantiated = Parameters<ZSTDDecoder["_init"]>[0];
type Instantiate = new (module: Instantiated["module"], imports: object) => Instantiated["instance"];
/** To make its memory anew. */
let compiled: Instantiated | undefined;
let since = 0;

/** Loads the decoder; afterwards zstdInto works. Calling it again costs nothing. */
export async function prepareZstd(): Promise<void> {
  if (decoder !== undefined) return;
  const module = await import("zstddec");
  const fresh = new module.ZSTDDecoder();
  const use = fresh._init;
  fresh._init = (result) => {
    compiled = result;
    use(result);
  };
  since = interruptions.count;
  await fresh.init();
  decoder = fresh;
}

/** The decoder; with a new memory where work was ended in its midst, as that may have torn the lists of its allocator. */
function sound(): ZSTDDecoder | undefined {
  if (decoder === undefined || compiled === undefined || since === interruptions.count) return decoder;
  const whole = decoder;
  const { module, instance: old } = compiled;
  // The package looks at the memory anew when it is given an instance. (The types of WebAssembly are not those of every platform.)
  const look = (): void => whole._init({ module, instance });
  const instance = new (old.constructor as Instantiate)(module, { env: { emscripten_notify_memory_growth: look } });
  look();
  since = interruptions.count;
  return whole;
}

/** Decodes `input` into `target`, which it must fill exactly. Returns undefined on success, else what is wrong. Never throws. */
export function zstdInto(input: Uint8Array, target: Uint8Array): string | undefined {
  const whole = sound();
  if (whole === undefined) return "zstd: a page in a dump that does not announce zstd";
  // A length of 0 would make the decoder trust the frame's own size.
  if (input.length === 0) return "zstd: no input";
  const output = whole.decode(input, target.length);
  if (output.length !== target.length) return `zstd: corrupt, or not ${target.length} bytes`;
  target.set(output);
  return undefined;
}

/** The decoder works in 32-bit memory that must hold stream and result. */
const MAX_UNPACKED = 2 ** 30;

/**
 * Decodes frames of any length, one after another, that must give exactly `size` bytes; a text says what is wrong. Never throws.
 * prepareZstd must have been awaited.
 * @param atMost fewer bytes than `size` will do
 */
export function unzstd(input: Uint8Array, size: number, atMost = false): Uint8Array | string {
  const whole = sound();
  if (whole === undefined) return "zstd: its decoder was not loaded";
  if (input.length === 0 || size === 0) return "zstd: no input";
  if (size > MAX_UNPACKED || input.length > MAX_UNPACKED) return `zstd: ${size} bytes are more than can be unpacked here`;
  const claimed = frameSize(input);
  if (claimed !== undefined && claimed > size) return `zstd: ${claimed} bytes instead of ${size}`;
  let output: Uint8Array;
  try {
    output = whole.decode(input, size);
  } catch (error) {
    return `zstd: ${(error as Error).message}`;
  }
  return output.length === size || (atMost && output.length > 0) ? output : `zstd: corrupt, or not ${size} bytes`;
}

/** True once prepareZstd has done its work. */
export function zstdReady(): boolean {
  return decoder !== undefined;
}

/**
 * Content size that the first frame's header gives (RFC 8878, 3.1.1.1); undefined when it gives none or is no frame.
 *
 *   │ magic u32 │ descriptor: size flag:2 single:1 …:3 dictionary:2 │ window 0-1 │ dictionary id 0-4 │ content size 0-8 │
 */
export function frameSize(input: Uint8Array): number | undefined {
  const view = new DataView(input.buffer, input.byteOffset, input.byteLength);
  if (input.length < 6 || view.getUint32(0, true) !== 0xfd2fb528) return undefined;
  const descriptor = view.getUint8(4);
  const single = (descriptor & 0x20) !== 0;
  const at = 5 + (single ? 0 : 1) + ([0, 1, 2, 4][descriptor & 3] as number);
  const flag = descriptor >>> 6;
  const bytes = flag === 0 ? (single ? 1 : 0) : 1 << flag;
  if (bytes === 0 || at + bytes > input.length) return undefined;
  if (bytes === 1) return view.getUint8(at);
  if (bytes === 2) return view.getUint16(at, true) + 256;
  return bytes === 4 ? view.getUint32(at, true) : Number(view.getBigUint64(at, true));
}
