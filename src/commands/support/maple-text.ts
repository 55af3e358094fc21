/**
 * Nodes of a maple tree as `tree -v` shows them, in the words of the kernel's own mt_dump():
 *
 *   maple_tree(ffffffffb1ccc760) flags 30B, height 2 root 0xff276c0a011ce21e
 *   0-8: node 0xff… depth 1 type 1 parent 0xff… contents: slot pivot slot pivot … slot
 *   0-18446744073709551615: node … type 3 … contents: gap gap … | end gap| slot pivot … slot
 */
import type { VirtualAddress } from "../../bytes/address.ts";
import type { Struct } from "../../kernel/types.ts";
import type { MapleStep } from "../../linux/maple-walk.ts";

/** MT_FLAGS_HEIGHT_MASK and its place (include/linux/maple_tree.h). */
const HEIGHT_MASK = 0x7c;
const HEIGHT_SHIFT = 2;
const ARANGE = 3;

export function mapleTreeText(tree: Struct, address: VirtualAddress, root: bigint): string {
  const flags = tree.tryField("ma_flags")?.number(address);
  const height = flags === undefined ? "" : `, height ${(flags & HEIGHT_MASK) >> HEIGHT_SHIFT}`;
  return `maple_tree(${address.toString(16)}) flags ${flags?.toString(16).toUpperCase() ?? "?"}${height} root 0x${root.toString(16)}`;
}

export function mapleNodeText({ node, type, parent, depth, first, last }: MapleStep & { kind: "node" }): string {
  const head = `node 0x${node.address.toString(16)} depth ${depth} type ${type} parent 0x${parent.toString(16)} contents:`;
  const slot = (i: number) => pointer(node.view.getBigUint64(node.slotOffset + i * 8, true));
  const pivot = (i: number) => (node.dense ? "" : ` ${node.view.getBigUint64(node.pivotOffset + i * 8, true)}`);
  const words = Array.from({ length: node.pivots }, (_, i) => `${slot(i)}${pivot(i)}`);
  return `${"  ".repeat(depth)}${rangeText(first, last)}: ${[head, ...gaps(type, node), ...words, slot(node.pivots)].join(" ")}`;
}

/** Gaps stand behind the slots of an arange node, then the number of its last slot and that of its largest gap. */
function gaps(type: number, { view, slotOffset, pivots }: (MapleStep & { kind: "node" })["node"]): string[] {
  if (type !== ARANGE) return [];
  const start = slotOffset + (pivots + 1) * 8;
  const words = Array.from({ length: pivots + 1 }, (_, i) => String(view.getBigUint64(start + i * 8, true)));
  const meta = start + (pivots + 1) * 8;
  const hex = (at: number) => (at < view.byteLength ? view.getUint8(at).toString(16).toUpperCase().padStart(2, "0") : "??");
  return [...words, "|", hex(meta), `${hex(meta + 1)}|`];
}

/** As C's %p prints a null pointer. */
function pointer(word: bigint): string {
  return word === 0n ? "(nil)" : `0x${word.toString(16)}`;
}

/** `4194304-4198399`, or one number. */
export function rangeText(first: bigint, last: bigint): string {
  return first === last ? String(first) : `${first}-${last}`;
}
