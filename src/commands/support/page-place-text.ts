/** How commands say where a page of a process is (vm -p, vtop): crash's words, and what a swap entry that is none means. */

import type { SwapEntry } from "../../linux/pte.ts";
import type { PagePlace } from "../../linux/user-pages.ts";

/** `SWAP: /dev/sda8  OFFSET: 24225` */
export function swapText({ path, type, offset, marker }: SwapEntry): string {
  if (marker !== undefined) return `(entry of type ${type}, offset ${offset}: ${marker})`;
  return `SWAP: ${path ?? `(area ${type})`}  OFFSET: ${offset}`;
}

/** `FILE: /bin/true  OFFSET: 1000` */
export function fileText({ path, offset }: { readonly path: string; readonly offset: bigint }): string {
  return `FILE: ${path}  OFFSET: ${offset.toString(16)}`;
}

/** What stands behind an address in the column PHYSICAL. */
export function placeText({ physical, swap, file }: PagePlace): string {
  if (physical !== undefined) return physical.toString(16).padStart(8);
  if (swap !== undefined) return swapText(swap);
  return file === undefined ? "(not mapped)" : fileText(file);
}
