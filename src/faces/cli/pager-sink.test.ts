import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { PagerSink, pagerCommand, rowsOf } from "./pager-sink.ts";

describe("the pager", () => {
  it("is what the user chose", () => {
    expect(pagerCommand(undefined, {})).toBe("less -E -X");
    expect(pagerCommand(undefined, { PAGER: "most" })).toBe("most");
    expect(pagerCommand(undefined, { PAGER: "most", CRASHPAGER: "vless" })).toBe("vless");
    expect(pagerCommand("more", { PAGER: "most" })).toBe("more");
    expect(pagerCommand("less", { PAGER: "most" })).toBe("less -E -X");
  });

  it("counts rows as a terminal folds them", () => {
    expect(rowsOf("a\nb\n", 80)).toBe(2);
    expect(rowsOf(`${"x".repeat(161)}\n\n`, 80)).toBe(4);
  });

  it("starts when a screenful is there, and gets everything", async () => {
    const directory = mkdtempSync(join(tmpdir(), "inquest-pager-"));
    const file = join(directory, "seen");
    const sink = new PagerSink(`cat > ${file}`, { rows: 5, columns: 80 });
    await sink.write("1\n2\n");
    await sink.write("3\n4\n5\n");
    await sink.write("6\n");
    expect(await sink.finish()).toBe(true);
    expect(readFileSync(file, "utf8")).toBe("1\n2\n3\n4\n5\n6\n");
    rmSync(directory, { recursive: true });
  });
});
