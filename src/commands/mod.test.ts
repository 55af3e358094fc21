import { describe, expect, test } from "vitest";
import { virtual } from "../bytes/address.ts";
import { parseArguments } from "./arguments.ts";
import type { Session } from "./command.ts";
import { type ModResult, type ModuleRow, mod } from "./mod.ts";

const row = (name: string, more: Partial<ModuleRow> = {}): ModuleRow => ({
  name,
  address: virtual(0xffff_ffff_c060_a540n),
  base: virtual(0xffff_ffff_c040_6000n),
  size: 45056,
  taints: "",
  state: "live",
  ...more,
});
const text = (modules: readonly ModuleRow[], view: ModResult["view"] = "list", textBase = true, notes: readonly string[] = []) => [
  ...mod.text({ modules, view, textBase, notes, toJSON: () => ({}) }, { radix: 10 }),
];

describe("mod", () => {
  test("crash's table, the base named as the kernel places it", () => {
    expect(text([row("loop"), row("virtio_blk", { size: 4096, state: "going" })]).slice(1)).toEqual([
      "ffffffffc060a540  loop        ffffffffc0406000  45056  (not loaded)  [CONFIG_KALLSYMS]",
      "ffffffffc060a540  virtio_blk  ffffffffc0406000   4096  (not loaded)  [CONFIG_KALLSYMS]  (going)",
    ]);
    const [header, first] = text([row("loop")]) as [string, string];
    expect(header).toMatch(/^ {5}MODULE {7}NAME {2,}TEXT_BASE +SIZE {2}OBJECT FILE$/);
    expect(header.indexOf("SIZE") + 4).toBe(first.indexOf("45056") + 5);
    expect(header.indexOf("OBJECT FILE")).toBe(first.indexOf("(not loaded)"));
    expect(text([row("loop")], "list", false)[0]).toContain(" BASE ");
    expect(text([row("data_only", { base: virtual(0n) })])[1]).toContain("  data_only                 0  45056  ");
    expect(text([])).toEqual(["no modules are loaded"]);
    expect(text([row("loop")], "list", true, ["nothing was loaded"]).at(-1)).toBe("(nothing was loaded)");
  });

  test("a broken list is neither empty nor whole", () => {
    const broken = "the list of modules is broken (gone): 0 were read";
    const run = (modules: readonly unknown[], line: string) => {
      const session = {
        kernel: { modules, notes: [broken], debugInfo: { files: [] }, types: { tryStruct: () => undefined } },
      } as unknown as Session;
      return mod.run(session, parseArguments(mod.spec, line.split(" ").filter(Boolean), line));
    };
    for (const line of ["", "-t", "loop"]) expect(() => run([], line)).toThrow(broken);
    const loop = { name: "loop", address: 1n, base: 1n, size: 1, taints: 0n, state: 0 };
    expect(run([loop], "").notes).toEqual([broken]);
    expect(run([loop], "loop").notes).toEqual([]);
    expect(() => run([loop], "tun")).toThrow(/"tun" among those that can be read: the list of modules is broken/);
  });

  test("taints and sections", () => {
    expect(text([row("lab_fault", { taints: "OE" })], "taints")).toEqual(["NAME       TAINTS", "lab_fault  OE"]);
    expect(text([], "taints")).toEqual(["no module taints the kernel"]);
    expect(
      text(
        [
          row("loop", { sections: [{ name: ".text", address: virtual(0xffff_ffff_c040_6000n) }] }),
          row("bad", { problem: "its page was left out" }),
        ],
        "sections",
      ),
    ).toEqual(["loop:", "  ffffffffc0406000  .text", "", "bad:", "  (unreadable: its page was left out)"]);
  });
});
