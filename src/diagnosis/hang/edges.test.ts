import { describe, expect, test } from "vitest";
import { chainFrom, circles, type HangEdge } from "./edges.ts";
import { edge, lockTaskNamed } from "./testing/made.ts";

const [a, b, c, d, e] = ["a", "b", "c", "d", "e"].map((name, i) => lockTaskNamed(name, i + 1)) as [never, never, never, never, never];
const graph = (...edges: readonly HangEdge[]) => new Map(edges.map((each) => [each.from.address, each]));
const names = (edges: readonly HangEdge[]) => edges.map(({ from }) => from.comm).join("");

describe("circles", () => {
  test("a circle begins with its smallest pid; those behind it are no part of it", () => {
    const [found, ...more] = circles(graph(edge(d, e), edge(e, c), edge(c, b), edge(b, a), edge(a, c)));
    expect(more).toEqual([]);
    expect(names(found?.edges ?? [])).toBe("acb");
    expect(names(found?.behind ?? [])).toBe("de");
  });

  test("a task that waits for itself is a circle of one", () => {
    const [found] = circles(graph(edge(a, a), edge(b, a)));
    expect(names(found?.edges ?? [])).toBe("a");
    expect(names(found?.behind ?? [])).toBe("b");
  });

  test("a chain is none", () => {
    expect(circles(graph(edge(a, b), edge(b, c)))).toEqual([]);
  });

  test("of two circles the one that waits longer comes first", () => {
    const all = circles(graph(edge(a, b), edge(b, a), edge(c, d, { seconds: 99 }), edge(d, c)));
    expect(all.map((each) => names(each.edges))).toEqual(["cd", "ab"]);
  });
});

test("a chain ends where no edge leads on, or one leads back", () => {
  expect(names(chainFrom(graph(edge(a, b), edge(b, c)), (a as { address: never }).address))).toBe("ab");
  expect(names(chainFrom(graph(edge(a, b), edge(b, a)), (a as { address: never }).address))).toBe("ab");
});
