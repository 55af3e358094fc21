/**
 * Walks of the kernel's containers from a value: lists, trees, arrays, as the macros of the kernel walk them. Value inherits them.
 *
 *   for (const task of init.member("tasks").list("struct task_struct", "tasks")) console.log(task.get("comm").string());
 */
import type { VirtualAddress } from "../bytes/address.ts";
import { LookupError } from "../bytes/errors.ts";
import type { Kernel as Engine } from "../kernel/kernel.ts";
import { hlistNodes, listNodes, llistNodes } from "../linux/list.ts";
import { mapleEntries, mapleLayout } from "../linux/maple-tree.ts";
import { rbtreeNodes } from "../linux/rbtree.ts";
import { xarrayEntries, xarrayLayout } from "../linux/xarray.ts";
import type { Value } from "./value.ts";

/** An entry of an xarray, radix tree or maple tree. */
export interface IndexedValue {
  /** Index in the array; first index of the range for a maple tree. */
  readonly index: bigint;
  /** Last index of the range (inclusive); equal to `index` but for maple trees. */
  readonly last: bigint;
  readonly value: Value;
}

/** What a value can be the head or root of. */
export abstract class Containers {
  /** The engine whose memory is walked. */
  protected abstract get engine(): Engine;
  /** Address of the head: of this value, or where it points. */
  protected abstract head(): VirtualAddress;
  /** Makes the structure of a type from the address of its member. */
  protected abstract containing(type: string, member: string): (node: VirtualAddress) => Value;
  /** An entry as a pointer to a type. */
  protected abstract entry(type: string | undefined, entry: bigint): Value;
  /** True when there is such a member. */
  abstract has(name: string): boolean;
  /** A member by name. */
  abstract member(name: string): Value;

  /**
   * Structures of a list_head list, this value being the head (or a pointer to it). Throws CorruptionError at the node where the list
   * breaks; what came before was yielded. Mirrors list_for_each_entry (include/linux/list.h).
   */
  *list(type: string, member: string): Generator<Value, void, undefined> {
    const entry = this.containing(type, member);
    for (const node of listNodes(this.engine.memory, this.head())) yield entry(node);
  }

  /** Structures of an hlist, this value being the hlist_head. Mirrors hlist_for_each_entry. */
  *hlist(type: string, member: string): Generator<Value, void, undefined> {
    const entry = this.containing(type, member);
    for (const node of hlistNodes(this.engine.memory, this.head())) yield entry(node);
  }

  /** Structures of a lock-less list, newest first, this value being the llist_head. Mirrors llist_for_each_entry. */
  *llist(type: string, member: string): Generator<Value, void, undefined> {
    const entry = this.containing(type, member);
    for (const node of llistNodes(this.engine.memory, this.head())) yield entry(node);
  }

  /** Structures of a red-black tree in order, this value being the rb_root or rb_root_cached. Mirrors rbtree_postorder_for_each_entry. */
  *rbtree(type: string, member: string): Generator<Value, void, undefined> {
    const entry = this.containing(type, member);
    for (const node of rbtreeNodes(this.engine.memory, this.head())) yield entry(node);
  }

  /** Entries of an xarray (or an IDR, or a radix tree), this value being the root; `type` is what the entries point to. Mirrors xa_for_each. */
  *xarray(type?: string): Generator<IndexedValue, void, undefined> {
    const layout = xarrayLayout(this.engine.types);
    if (layout === undefined) throw new LookupError("this dump knows neither xa_node nor radix_tree_node");
    const root = this.has("idr_rt") ? this.member("idr_rt") : this;
    const head = root.has("xa_head") ? root.member("xa_head") : root.member("rnode");
    for (const { index, entry } of xarrayEntries(this.engine.memory, layout, head.pointer()))
      yield { index: BigInt(index), last: BigInt(index), value: this.entry(type, entry) };
  }

  /** Entries of a radix tree, this value being the radix_tree_root: since 4.20 an xarray by another name. Mirrors radix_tree_for_each_slot. */
  radixTree(type?: string): Generator<IndexedValue, void, undefined> {
    return this.xarray(type);
  }

  /** Entries of a maple tree (6.1 on), this value being the maple_tree; `type` is what the entries point to. Mirrors mt_for_each. */
  *mapleTree(type?: string): Generator<IndexedValue, void, undefined> {
    const layout = mapleLayout(this.engine.types);
    if (layout === undefined) throw new LookupError("this dump knows no maple_node: its kernel is older than 6.1, or has no types");
    for (const { first, last, entry } of mapleEntries(this.engine.memory, layout, this.member("ma_root").pointer()))
      yield { index: first, last, value: this.entry(type, entry) };
  }
}
