/** Page-table entries as crash shows them (`vtop`, `pte`). */
import type { SwapEntry } from "../../linux/pte.ts";

/** @param half where the odd blank goes: left of values, right of headings, as in crash */
export function centre(text: string, width: number, half: (blanks: number) => number = Math.floor): string {
  const left = half((width - text.length) / 2);
  return text.padStart(left + text.length).padEnd(width);
}

/** An entry that maps a page, or the empty one. @param words the flags, or what to say instead */
export function* mappedEntry(value: bigint, page: bigint, words: string): Iterable<string> {
  const entry = value.toString(16);
  const at = page.toString(16);
  const width = Math.max(entry.length, 3);
  const wide = Math.max(at.length, 8);
  yield `${centre("PTE", width)}  ${centre("PHYSICAL", wide)}  FLAGS`;
  yield `${centre(entry, width, Math.ceil)}  ${centre(at, wide, Math.ceil)}  (${words})`;
}

/** An entry whose page lies in a swap area. */
export function* swappedEntry(value: bigint, { path, type, offset }: SwapEntry): Iterable<string> {
  const entry = value.toString(16);
  const area = path ?? `(area ${type})`;
  const slot = offset.toString();
  const width = Math.max(entry.length, 3);
  const wide = Math.max(area.length, 4);
  const last = Math.max(slot.length, 6);
  yield `${centre("PTE", width)}  ${centre("SWAP", wide)}  ${centre("OFFSET", last)}`.trimEnd();
  yield `${centre(entry, width, Math.ceil)}  ${centre(area, wide, Math.ceil)}  ${centre(slot, last, Math.ceil)}`.trimEnd();
}
