/**
 * Where a text lies in memory, with the text around it, and how much of memory the dump does not have.
 *
 *   inquest script examples/find-text.ts vmcore -- "password="
 *
 * Addresses are those of the kernel's linear mapping; text of user processes is found in the same way where the dump has their pages.
 */
import type { Kernel } from "inquest";

const AROUND = 48;
const MOST = 20;

/** Characters that can be shown, up to the first that cannot. */
function textAt(kernel: Kernel, address: bigint): string {
  const bytes = kernel.memory.tryBytes(address, AROUND) ?? new Uint8Array(0);
  const end = bytes.findIndex((byte) => byte < 0x20 || byte > 0x7e);
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
}

export default function (kernel: Kernel, args: readonly string[]): string {
  const text = args[0] ?? "Linux version";
  const search = kernel.search(text, { limit: MOST });
  const lines = [...search].map(({ address, symbol }) => {
    const name = symbol === undefined ? "" : `  <${symbol}>`;
    return `${address.toString(16)}${name}  ${textAt(kernel, address)}`;
  });
  const found = lines.length === MOST ? `the first ${MOST}` : lines.length;
  const missing = [...search.unread].map(([reason, pages]) => `${pages} pages ${reason}`).join(", ");
  return [`"${text}": ${found} found${missing === "" ? "" : `; not searched: ${missing}`}`, ...lines].join("\n");
}
