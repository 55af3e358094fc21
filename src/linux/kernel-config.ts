/**
 * The kernel's own configuration, when it was built with CONFIG_IKCONFIG (kernel/configs.c): a gzip file between two marks.
 *
 *   "IKCFG_ST" │ gzip … │ "IKCFG_ED"        symbols kernel_config_data, kernel_config_data_end since 5.1 (13610aa908dc)
 */
import { add, distance, type VirtualAddress } from "../bytes/address.ts";
import { FormatError, LookupError } from "../bytes/errors.ts";
import { gunzip } from "../bytes/inflate-node.ts";
import type { Kernel } from "../kernel/kernel.ts";

/** A configuration is some 250 KiB, its gzip a quarter of that. */
const MAX_COMPRESSED = 4 << 20;
const MAX_TEXT = 32 << 20;

/** The text of .config. @throws LookupError when the kernel does not carry it */
export function kernelConfig(kernel: Kernel): string {
  const start = kernel.tryAddress("kernel_config_data");
  const end = kernel.tryAddress("kernel_config_data_end") ?? kernel.symbols.neighbours(start ?? (0n as VirtualAddress)).next?.address;
  if (start === undefined || end === undefined) {
    throw new LookupError("the kernel does not carry its configuration (built without CONFIG_IKCONFIG); look for /boot/config-RELEASE");
  }
  // Before 5.1 the array holds the marks too.
  const mark = String.fromCharCode(...kernel.memory.bytes(start, 8));
  const from = mark === "IKCFG_ST" ? add(start, 8) : start;
  const length = distance(end, from);
  if (length <= 18 || length > MAX_COMPRESSED) throw new FormatError("kernel_config_data", `${length} bytes are no configuration`);
  const bytes = kernel.memory.bytes(from, length);
  const closing = String.fromCharCode(...bytes.subarray(-64)).lastIndexOf("IKCFG_ED");
  const text = gunzip(closing < 0 ? bytes : bytes.subarray(0, bytes.length - Math.min(64, bytes.length) + closing), MAX_TEXT);
  if (typeof text === "string") throw new FormatError("kernel_config_data", text);
  return new TextDecoder().decode(text);
}
