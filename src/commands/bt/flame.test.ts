import { describe, expect, test } from "vitest";
import { virtual } from "../../bytes/address.ts";
import { flameBoxes, flameTree, foldedStacks } from "./flame.ts";
import { escapeXml, flameSvg } from "./flame-svg.ts";
import { rangesText, tasksText } from "./group-text.ts";
import type { BtGroup } from "./groups.ts";
import type { BtFrame } from "./result.ts";

/** A group of tasks; functions from the innermost outwards, "name@module". */
function group(count: number, ...functions: readonly string[]): BtGroup {
  const frames = functions.map((each) => {
    const [name, module] = each.split("@");
    return { function: name, module: module ?? null } as BtFrame;
  });
  return { count, states: { UN: count }, active: false, tasks: [], frames, stop: "", complete: true };
}

const groups = {
  groups: [group(3, "schedule", "wait", "kthread"), group(1, "wait", "kthread"), group(2, "wait@lab", "kthread"), group(1)],
  idleCpus: [0, 2],
  tasks: 9,
};

describe("flame graphs", () => {
  test("folded text counts what stands at each end", () => {
    expect([...foldedStacks(flameTree(groups))].sort()).toEqual([
      "(idle_CPUs) 2",
      "(no_stack) 1",
      "kthread;wait 1",
      "kthread;wait;schedule 3",
      "kthread;wait_[lab] 2",
    ]);
  });

  test("boxes are as wide as their tasks, side by side and within their callers", () => {
    const boxes = flameBoxes(flameTree(groups));
    const at = (name: string, module: string | null = null) => boxes.find(({ node }) => node.name === name && node.module === module);
    expect(at("all")).toMatchObject({ left: 0, width: 1, depth: 0 });
    expect(at("kthread")).toMatchObject({ left: 3 / 9, width: 6 / 9, depth: 1 });
    expect(at("wait")?.width).toBeCloseTo(4 / 9);
    expect(at("wait", "lab")?.left).toBeCloseTo(7 / 9);
    expect(at("schedule")).toMatchObject({ depth: 3 });
  });

  test("what is too narrow is left out", () => {
    expect(flameBoxes(flameTree(groups), 0.5).map(({ node }) => node.name)).toEqual(["all", "kthread"]);
  });

  test("the file is one SVG, and names cannot break out of it", () => {
    const name = `x"><script>alert(1)</script>&\u0001`;
    const svg = flameSvg(flameTree({ groups: [group(1, name)], idleCpus: [], tasks: 1 }), `a <title> & more`);
    expect(svg).not.toContain("<script>alert");
    expect(svg).toContain("x&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&amp;\uFFFD (1 task, 100.00%)");
    expect(svg).toContain("a &lt;title&gt; &amp; more");
    expect(svg.match(/<script>/g)).toHaveLength(1);
    expect(svg).not.toMatch(/https?:\/\/(?!www\.w3\.org\/2000\/svg)/);
  });

  test("no tasks at all make an empty graph", () => {
    expect(flameSvg(flameTree({ groups: [], idleCpus: [], tasks: 0 }), "nothing")).toContain("all (0 tasks, 0.00%)");
  });
});

test("characters that XML cannot hold are replaced", () => {
  expect(escapeXml("a\u0000\u001bb\ud800c\n<'>")).toBe("a\uFFFD\uFFFDb\uFFFDc\n&lt;&#39;&gt;");
});

describe("tasks of a group", () => {
  const tasks = (...names: readonly string[]) => names.map((comm, index) => ({ comm, pid: index + 1, address: virtual(0n), cpu: 0 }));

  test("few are named one by one", () => {
    expect(tasksText(tasks("a", "b"))).toBe("a (1), b (2)");
  });

  test("of many those of one kind are folded, the most first", () => {
    const names = ["init", ...Array.from({ length: 9 }, (_, i) => `lab-wait/${i}`), "kworker/0:1H", "kworker/u8:2-ev"];
    expect(tasksText(tasks(...names))).toBe("9 lab-wait/… (2 3 4 5 6 7 …), init (1), kworker/… (11), kworker/u… (12)");
  });

  test("ranges of CPUs", () => {
    expect(rangesText([0, 1, 2, 5, 7, 8])).toBe("0-2,5,7-8");
    expect(rangesText([])).toBe("");
  });
});
