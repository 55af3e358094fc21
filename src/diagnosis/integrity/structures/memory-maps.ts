/**
 * Trees of memory maps: lib/maple_tree.c, mm/vma.c; before 6.1 there are none.
 *
 *   mm.mm_mt ─► maple_node { parent, pivot[], slot[] } ─► … ─► vm_area_struct          vma.vm_mm is the mm
 *
 *   slot n of a leaf holds the map that ends at pivot n, as its own vm_end says, and begins behind pivot n - 1, as its vm_start says; the pivot
 *   of a gap lies below the next map's start; a node leads back to the one above
 */
import { add, hex16, type VirtualAddress, virtual } from "../../../bytes/address.ts";
import { CorruptionError } from "../../../bytes/errors.ts";
import type { Field } from "../../../kernel/field.ts";
import { isMapleNode, isMapleReserved, type MapleLayout, type MapleNode, mapleLayout, readMapleNode } from "../../../linux/maple-tree.ts";
import { taskTable } from "../../../linux/task.ts";
import { pointerClass } from "../damage.ts";
import { pointerOf, singleBit, textOver, wordAt } from "../look.ts";
import type { Survey } from "../survey.ts";

const MAX_MAPS = 1024;
/** Nodes of one tree. */
const MAX_NODES = 1 << 14;
const NODE_MASK = 0xffn;
const LAST = (1n << 64n) - 1n;
/** Slots of a node are at most 31 (dense). */
const MAX_SLOTS = 32;

interface Area {
  readonly start: bigint;
  readonly end: bigint;
}

interface Tree {
  readonly survey: Survey;
  readonly layout: MapleLayout;
  readonly mm: VirtualAddress;
  readonly fields: { readonly start: Field; readonly end: Field; readonly mm: Field };
}

interface Open {
  readonly encoded: VirtualAddress;
  readonly first: bigint;
  readonly last: bigint;
}

export function surveyMemoryMaps(survey: Survey): void {
  const { kernel } = survey;
  const layout = mapleLayout(kernel.types);
  const root = survey.field("mm_struct", "mm_mt.ma_root");
  const [start, end, mm] = (["vm_start", "vm_end", "vm_mm"] as const).map((name) => survey.field("vm_area_struct", name));
  if (layout === undefined || root === undefined || start === undefined || end === undefined || mm === undefined) return;
  const maps = new Set(taskTable(kernel).tasks.flatMap((task) => (task.mm === 0n ? [] : [task.mm])));
  for (const each of [...maps].slice(0, MAX_MAPS))
    survey.quietly(() => {
      const word = wordAt(kernel, root.address(each));
      if (typeof word === "bigint" && isMapleNode(word)) walk({ survey, layout, mm: each, fields: { start, end, mm } }, virtual(word));
    });
}

function walk(tree: Tree, root: VirtualAddress): void {
  const queue: Open[] = [{ encoded: root, first: 0n, last: LAST }];
  for (let i = 0; i < queue.length && i < MAX_NODES; i++) {
    const open = queue[i] as Open;
    let node: MapleNode;
    try {
      node = readMapleNode(tree.survey.kernel.memory, tree.layout, open.encoded);
    } catch (error) {
      if (error instanceof CorruptionError) continue;
      throw error;
    }
    if (!node.dense) queue.push(...(node.leaf ? leaf(tree, node, open) : branch(tree, node, open)));
  }
}

interface Slot {
  readonly number: number;
  readonly entry: bigint;
  readonly address: VirtualAddress;
  readonly pivot: bigint | undefined;
  readonly pivotAddress: VirtualAddress;
}

function* slotsOf({ address, view, pivots, pivotOffset, slotOffset }: MapleNode, last: bigint): Generator<Slot> {
  for (let number = 0; number <= pivots && number < MAX_SLOTS; number++) {
    const pivot = number < pivots ? view.getBigUint64(pivotOffset + number * 8, true) : undefined;
    yield {
      number,
      entry: view.getBigUint64(slotOffset + number * 8, true),
      address: add(address, slotOffset + number * 8),
      pivot,
      pivotAddress: add(address, pivotOffset + number * 8),
    };
    // A pivot of 0 behind the first was never set.
    if (pivot === undefined || (pivot === 0n && number > 0) || pivot === last) return;
  }
}

function place(node: MapleNode, member: "slot" | "pivot", address: VirtualAddress) {
  const union = node.leaf || node.pivots > 10 ? "mr64" : "ma64";
  return { structure: "the tree of memory maps", type: "maple_node", member: `${union}.${member}`, object: node.address, address };
}

/** The map at an address, when there is one of this mm. */
function areaAt({ survey: { kernel }, fields, mm }: Tree, value: bigint): Area | undefined {
  const at = pointerOf(kernel, value);
  const own = (value & 7n) === 0n && kernel.arch.isKernelAddress(at) ? wordAt(kernel, fields.mm.address(at)) : undefined;
  if (typeof own !== "bigint" || pointerOf(kernel, own) !== mm) return undefined;
  const [start, end] = [wordAt(kernel, fields.start.address(at)), wordAt(kernel, fields.end.address(at))];
  return typeof start === "bigint" && typeof end === "bigint" && start < end ? { start, end } : undefined;
}

function leaf(tree: Tree, node: MapleNode, { first, last }: Open): Open[] {
  const { survey, fields } = tree;
  let from = first;
  let gap: Slot | undefined;
  for (const slot of slotsOf(node, last)) {
    const { entry, pivot, pivotAddress, address } = slot;
    const until = pivot === undefined || (pivot === 0n && slot.number > 0) ? last : pivot;
    const area = entry === 0n || isMapleReserved(entry) ? undefined : areaAt(tree, entry);
    if (area !== undefined) {
      const at = pointerOf(survey.kernel, entry);
      if (gap?.pivot !== undefined && area.start > first)
        pivotMust(tree, node, gap.pivotAddress, gap.pivot, area.start - 1n, {
          what: `the map behind the gap begins at ${hex16(area.start)}`,
          address: fields.start.address(at),
          value: area.start,
        });
      if (pivot !== undefined && until !== last)
        pivotMust(tree, node, pivotAddress, pivot, area.end - 1n, {
          what: `the map in its slot ends at ${hex16(area.end)}`,
          address: fields.end.address(at),
          value: area.end,
        });
      gap = undefined;
      from = area.end;
      continue;
    }
    if (entry === 0n) gap = slot;
    else if (!isMapleReserved(entry)) {
      const near = nearArea(tree, entry, ({ start, end }) => start === from && end - 1n === until);
      damagedSlot(
        tree,
        place(node, "slot", address),
        entry,
        near,
        near === undefined ? undefined : fields.start.address(pointerOf(survey.kernel, near)),
      );
      gap = undefined;
    }
    from = until + 1n;
  }
  return [];
}

/** Both words may be the damaged one: the one that is no page's end is, or the one that one bit would put right while the other is aligned. */
function pivotMust(
  { survey }: Tree,
  node: MapleNode,
  address: VirtualAddress,
  pivot: bigint,
  expected: bigint,
  witness: { readonly what: string; readonly address: VirtualAddress; readonly value: bigint },
): void {
  const page = BigInt(survey.kernel.arch.pageSize);
  if ((expected + 1n) % page !== 0n) return;
  if (
    pivot !== expected &&
    (pivot + 1n) % page === 0n &&
    singleBit(pivot, expected) === undefined &&
    textOver(survey.kernel, address) === undefined
  )
    return;
  survey.must({ ...place(node, "pivot", address), expected, witness });
}

function branch(tree: Tree, node: MapleNode, { first, last }: Open): Open[] {
  const { survey } = tree;
  const found: Open[] = [];
  let from = first;
  for (const { entry, pivot, address, number } of slotsOf(node, last)) {
    const until = pivot === undefined || (pivot === 0n && number > 0) ? last : pivot;
    if (entry !== 0n) {
      if (isBelow(tree, entry, node)) found.push({ encoded: virtual(entry), first: from, last: until });
      else {
        const near = [...Array(64).keys()].map((bit) => entry ^ (1n << BigInt(bit))).filter((other) => isBelow(tree, other, node));
        const only = near.length === 1 ? near[0] : undefined;
        damagedSlot(tree, place(node, "slot", address), entry, only, only === undefined ? undefined : virtual(only & ~NODE_MASK));
        if (only !== undefined) found.push({ encoded: virtual(only), first: from, last: until });
      }
    }
    survey.nodes++;
    from = until + 1n;
  }
  return found;
}

/** An encoded node whose parent is this one (mte_set_parent: the parent's address, its type and the slot in the low byte). */
function isBelow({ survey: { kernel } }: Tree, entry: bigint, above: MapleNode): boolean {
  const at = pointerOf(kernel, entry & ~NODE_MASK);
  const kind = (entry >> 3n) & 0xfn;
  const parent = kind >= 1n && kind <= 3n && kernel.arch.isKernelAddress(at) ? wordAt(kernel, at) : undefined;
  return typeof parent === "bigint" && (parent & ~NODE_MASK) === above.address;
}

function nearArea(tree: Tree, entry: bigint, fits: (area: Area) => boolean): bigint | undefined {
  const near = [...Array(64).keys()].map((bit) => BigInt.asUintN(64, entry ^ (1n << BigInt(bit))));
  const found = near.filter((other) => {
    const area = areaAt(tree, other);
    return area !== undefined && fits(area);
  });
  return found.length === 1 ? found[0] : undefined;
}

/** Without one that fits one bit away only text, or an address where nothing is, is damage for certain. */
function damagedSlot(
  { survey }: Tree,
  at: ReturnType<typeof place>,
  found: bigint,
  expected: bigint | undefined,
  witness: VirtualAddress | undefined,
): void {
  const { kernel } = survey;
  if (expected !== undefined) {
    const value = witness === undefined ? undefined : kernel.memory.tryU64(witness);
    const what = "what lies one bit away says that it belongs there";
    survey.must({
      ...at,
      expected,
      witness: { what, ...(witness === undefined || value === undefined ? {} : { address: witness, value }) },
    });
    return;
  }
  if (textOver(kernel, at.address) === undefined && wordAt(kernel, found & ~NODE_MASK) !== "nowhere") return;
  survey.damage.push({ ...at, size: 8, found, unproved: true, ...pointerClass(kernel, at.address, found, undefined, false) });
}
