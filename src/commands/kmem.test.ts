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

  it("knows every option of crash's", () => {
    expect(() => run("kmem -Z")).toThrow('invalid option "-Z"');
    expect(kmem.spec.options.map(({ flag }) => flag)).toContain("-P");
  });
});
