/** Walks of lists, trees and arrays against a module's word of what it built, whole and damaged, on every cached case of "views". */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { numberField, type ViewTruth } from "../../lab/views-truth.ts";
import { type VirtualAddress, virtual } from "../../src/bytes/address.ts";
import { CorruptionError } from "../../src/bytes/errors.ts";
import { hlistNodes, listNodes } from "../../src/linux/list.ts";
import { mapleEntries, mapleLayout } from "../../src/linux/maple-tree.ts";
import { rbtreeNodes } from "../../src/linux/rbtree.ts";
import { xarrayEntries, xarrayLayout } from "../../src/linux/xarray.ts";
import { openViews, type Views, viewCases } from "../support/views.ts";

/** What a walk gave before it ended, and how it ended. */
function walked<T>(nodes: Iterable<T>): { readonly nodes: readonly T[]; readonly error: unknown } {
  const found: T[] = [];
  try {
    for (const node of nodes) found.push(node);
    return { nodes: found, error: undefined };
  } catch (error) {
    return { nodes: found, error };
  }
}

describe.each(viewCases)("%s", (_id, lab) => {
  let views: Views;
  beforeAll(async () => {
    views = await openViews(lab);
  });
  afterAll(() => views.session.kernel.dump.close());

  const at = (view: ViewTruth): VirtualAddress => virtual(view.address ?? 0n);
  const field = (view: ViewTruth, name: string): bigint => BigInt(`0x${view.fields.get(name)}`);
  /** struct views_item.key of the item around a node. */
  const keyOf = (node: bigint, view: ViewTruth): number =>
    Number(views.session.kernel.memory.u64(virtual(node - BigInt(numberField(view, "offset")))));

  test("lists: whole ones are complete, damaged ones end where they were damaged", () => {
    const { memory } = views.session.kernel;
    for (const list of views.of("list")) {
      const { nodes, error } = walked(listNodes(memory, at(list)));
      const items = nodes.map((node) => node - BigInt(numberField(list, "offset")));
      const count = numberField(list, "count");
      const damaged = !["whole", "empty"].includes(list.name);
      expect(error instanceof CorruptionError, `${list.name}: ${error}`).toBe(damaged);
      expect(items.slice(0, count).length, list.name).toBe(count);
      // In a circle the walk may go on a little until it knows.
      if (list.name === "cyclic") expect(items.length).toBeLessThan(count * 3);
      else expect(items.length, list.name).toBe(count);
      if (count > 0) {
        expect(items[0]).toBe(field(list, "first"));
        expect(items[count - 1]).toBe(field(list, "last"));
      }
    }
  });

  test("hash lists", () => {
    const { memory } = views.session.kernel;
    for (const list of views.of("hlist")) {
      const { nodes, error } = walked(hlistNodes(memory, at(list)));
      const count = numberField(list, "count");
      expect(error instanceof CorruptionError, list.name).toBe(list.name === "cyclic");
      expect((nodes[0] ?? 0n) - BigInt(numberField(list, "offset"))).toBe(field(list, "first"));
      expect((nodes[count - 1] ?? 0n) - BigInt(numberField(list, "offset"))).toBe(field(list, "last"));
    }
  });

  test("red-black trees are in the order of their keys; one that leads back to its root is told", () => {
    const { memory } = views.session.kernel;
    for (const tree of views.of("rbtree")) {
      const { nodes, error } = walked(rbtreeNodes(memory, at(tree)));
      const keys = nodes.map((node) => keyOf(node, tree));
      if (tree.name === "cyclic") {
        expect(error).toBeInstanceOf(CorruptionError);
        expect(nodes.length).toBeLessThanOrEqual(numberField(tree, "count"));
        continue;
      }
      expect(error).toBeUndefined();
      expect(keys).toEqual([...Array(numberField(tree, "count")).keys()]);
      if (tree.name === "cached") expect(nodes[0]).toBe(field(tree, "leftmost"));
    }
  });

  test("xarrays and radix trees hold what was stored, at its indices", () => {
    const { memory, types } = views.session.kernel;
    const layout = xarrayLayout(types);
    if (layout === undefined) throw new Error("no xarrays");
    const headOffset = types.struct("xarray").field("xa_head").offset;
    for (const array of [...views.of("xarray"), ...views.of("radix")]) {
      const head = memory.u64(virtual(at(array) + BigInt(headOffset)));
      const entries = [...xarrayEntries(memory, layout, virtual(head))];
      expect(entries.length, array.name).toBe(numberField(array, "count"));
      const indices = array.fields.get("indices")?.split(",") ?? [];
      // The greatest index is no exact number of JavaScript.
      expect(entries.map(({ index }) => BigInt(index))).toEqual(indices.map((text) => BigInt(Number(text))));
      if (entries.length > 0) expect(entries[0]?.entry).toBe(field(array, "first"));
    }
  });

  test("maple trees give the ranges that were stored", () => {
    const { memory, types } = views.session.kernel;
    const layout = mapleLayout(types);
    const trees = views.told.filter(({ kind }) => kind === "maple");
    // Since 6.1.
    expect(trees.length > 0).toBe(layout !== undefined);
    if (layout === undefined) return;
    const rootOffset = types.struct("maple_tree").field("ma_root").offset;
    for (const tree of trees) {
      const entries = [...mapleEntries(memory, layout, virtual(memory.u64(virtual(at(tree) + BigInt(rootOffset)))))];
      const count = numberField(tree, "count");
      expect(entries.length, tree.name).toBe(count);
      const [step, start, length] = ["step", "start", "length"].map((name) => Number(tree.fields.get(name) ?? 0)) as [
        number,
        number,
        number,
      ];
      entries.forEach(({ first, last, entry }, index) => {
        expect([first, last]).toEqual([BigInt(index * step + start), BigInt(index * step + start + length - 1)]);
        expect(entry).toBe(field(tree, "first") + BigInt(index * Number(tree.fields.get("size") ?? 0)));
      });
    }
  });

  test("list and tree, the commands, say where a damaged one breaks", () => {
    // What breaks off ends in an error, after the lines before it.
    const said = (line: string) => {
      const { nodes, error } = walked(views.session.execute(line).text({ radix: 10 }));
      return error instanceof Error ? [...nodes, error.message] : nodes;
    };
    const nodes = (lines: readonly string[]) => lines.filter((line) => /^[0-9a-f]{16}$/.test(line)).length;
    const hex = (view: ViewTruth) => at(view).toString(16);
    // A NULL pointer ends a list, as in crash.
    for (const name of ["whole", "cut", "wild"]) {
      const list = views.one("list", name);
      const lines = said(`list -H ${hex(list)}`);
      expect(nodes(lines), name).toBe(numberField(list, "count"));
      if (name === "wild") expect(lines.at(-1)).toMatch(/6b6b6b6b6b6b6b6b cannot be read/);
    }
    expect(said(`list -H ${hex(views.one("list", "cyclic"))}`).at(-1)).toMatch(/duplicate list entry/);
    const tree = views.one("rbtree", "cyclic");
    const walk = said(`tree -t rbtree ${hex(tree)}`);
    expect(nodes(walk)).toBe(numberField(tree, "count"));
    expect(walk.join("\n")).toMatch(/it is reached twice/);
  });
});
