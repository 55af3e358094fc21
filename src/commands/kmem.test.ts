import { describe, expect, it } from "vitest";
import { kmem } from "./kmem.ts";
import { runLine } from "./run-line.ts";
import { fakeSession } from "./testing/fake-session.ts";

const session = fakeSession({ commands: [kmem] });
const run = (line: string) => runLine(session, line);

describe("kmem: which view answers", () => {
  it("says that something is missing", () => {
    expect(() => run("kmem")).toThrow("kmem: an option or an address is needed");
    expect(() => run("kmem -P")).toThrow("kmem: an option or an address is needed");
  });

  it("takes one view at a time, and says which two were given", () => {
    expect(() => run("kmem -i -f")).toThrow("kmem: -i and -f are different views: one at a time");
    expect(() => run("kmem -zV")).toThrow("kmem: -z and -V are different views");
    expect(() => run("kmem -pm flags")).toThrow("kmem: -p and -m are different views");
  });

  it("refuses operands where a view has no use for them", () => {
    for (const option of ["-i", "-z", "-n", "-V"]) expect(() => run(`kmem ${option} 0`)).toThrow(`kmem: ${option} takes no address`);
    expect(() => run("kmem -F 0")).toThrow("kmem: -F takes no address");
  });

  it("says that the page hash table is gone", () => {
    expect(() => run("kmem -C")).toThrow("kmem: -C is for the page_hash_table of Linux 2.x");
  });

  it("knows every option of crash's", () => {
    expect(() => run("kmem -Z")).toThrow('invalid option "-Z"');
    const flags = kmem.spec.options.map(({ flag }) => flag);
    expect(flags).toEqual(expect.arrayContaining([..."fFcCivVnzohpmsSrIgP"].map((letter) => `-${letter}`)));
    expect(new Set(flags).size).toBe(flags.length);
  });
});
