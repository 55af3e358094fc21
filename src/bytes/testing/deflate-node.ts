/** zlib streams for tests. */
import { deflateSync } from "node:zlib";

/** Compresses into the zlib format. */
export function deflate(data: Uint8Array): Uint8Array {
  return new Uint8Array(deflateSync(data));
}
