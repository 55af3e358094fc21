/**
 * Flame graphs of stacks: a tree of functions from the outermost call inwards, as wide as there are tasks; and the folded text that other
 * flame-graph programs read (`outer;…;inner count`).
 *
 *   ┌ all ───────────────────────────────────┐
 *   │ ret_from_fork            │ entry_SYS…   │      y: depth          x: alphabetical, so that equal functions meet
 *   │ kthread                  │ do_syscall…  │
 */
import type { BtGroups } from "./groups.ts";

export interface FlameNode {
  readonly name: string;
  readonly module: string | null;
  /** Tasks whose stacks pass here. */
  count: number;
  readonly children: Map<string, FlameNode>;
}

/** Deepest stack that is drawn: no kernel stack has more frames that follow from unwinding. */
const MAX_DEPTH = 512;

/** Stacks as one tree; its root counts all tasks. */
export function flameTree({ groups, idleCpus }: BtGroups): FlameNode {
  const root = node("all", null);
  for (const { frames, count } of groups) {
    const names = [...frames].reverse().map((frame) => [frame.function ?? "(unknown)", frame.module] as const);
    insert(root, names.length === 0 ? [["(no stack)", null]] : names, count);
  }
  if (idleCpus.length > 0) insert(root, [["(idle CPUs)", null]], idleCpus.length);
  return root;
}

function node(name: string, module: string | null): FlameNode {
  return { name, module, count: 0, children: new Map() };
}

function insert(root: FlameNode, path: readonly (readonly [name: string, module: string | null])[], count: number): void {
  root.count += count;
  let at = root;
  for (const [name, module] of path.slice(0, MAX_DEPTH)) {
    const key = `${name} ${module ?? ""}`;
    let child = at.children.get(key);
    if (child === undefined) {
      child = node(name, module);
      at.children.set(key, child);
    }
    child.count += count;
    at = child;
  }
}

/** One line a stack: functions from the outermost inwards, and how many tasks stand there. */
export function* foldedStacks(root: FlameNode): Iterable<string> {
  yield* folded(root, []);
}

function* folded(at: FlameNode, path: readonly string[]): Iterable<string> {
  let inner = 0;
  for (const child of at.children.values()) {
    inner += child.count;
    // A semicolon or a line end within a name would make it two.
    yield* folded(child, [...path, label(child).replace(/[;\s]+/g, "_")]);
  }
  if (at.count > inner && path.length > 0) yield `${path.join(";")} ${at.count - inner}`;
}

/** Name of a function with its module: "lab_hang_wait [lab_hang]". */
export function label({ name, module }: FlameNode): string {
  return module === null ? name : `${name} [${module}]`;
}

/** A rectangle of the graph: fractions of the whole width, and its row from the bottom. */
export interface FlameBox {
  readonly node: FlameNode;
  readonly left: number;
  readonly width: number;
  readonly depth: number;
}

/** Boxes in drawing order, parents before their children; those narrower than `narrowest` (a fraction) are left out with all above them. */
export function flameBoxes(root: FlameNode, narrowest = 0): readonly FlameBox[] {
  const boxes: FlameBox[] = [];
  const place = (at: FlameNode, left: number, depth: number) => {
    const width = root.count === 0 ? 1 : at.count / root.count;
    if (width < narrowest) return;
    boxes.push({ node: at, left, width, depth });
    let next = left;
    for (const child of [...at.children.values()].sort((a, b) => (label(a) < label(b) ? -1 : 1))) {
      place(child, next, depth + 1);
      next += child.count / root.count;
    }
  };
  place(root, 0, 0);
  return boxes;
}
