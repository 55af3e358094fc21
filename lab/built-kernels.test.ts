import { readdirSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { BUILT_KERNELS, settingsOf, unmetSettings } from "./built-kernels.ts";
import { selectCases } from "./cases.ts";
import { labSource } from "./paths.ts";

describe("kernels the lab builds", () => {
  it("take the last word of their fragments", () => {
    const settings = settingsOf(["# one CPU or more\nCONFIG_SMP=y\nCONFIG_NR_CPUS=8\n", "CONFIG_SMP=n\n"]);
    expect([...settings]).toEqual([
      ["CONFIG_SMP", "n"],
      ["CONFIG_NR_CPUS", "8"],
    ]);
    expect(() => settingsOf(["CONFIG_SMP"])).toThrow("not a setting: CONFIG_SMP");
  });

  it("tell settings that the source did not take", () => {
    const settings = settingsOf(["CONFIG_SLAB=y\nCONFIG_SMP=n\nCONFIG_NR_CPUS=8\nCONFIG_BTF=n\n"]);
    expect(unmetSettings(settings, "# CONFIG_SLAB is not set\nCONFIG_SMP=y\nCONFIG_NR_CPUS=8\n")).toEqual([
      "CONFIG_SLAB=y",
      "CONFIG_SMP=n",
    ]);
  });

  it("use every fragment and no other", () => {
    const fragments = readdirSync(labSource("configs")).map((name) => name.replace(".config", ""));
    expect([...new Set(BUILT_KERNELS.flatMap((kernel) => kernel.fragments))].sort()).toEqual(fragments.sort());
  });

  it("are a suite of their own", () => {
    const ids = selectCases({ suite: "built", arch: "arm64" }).map(({ id }) => id);
    expect(ids).toEqual(["6.1-arm64-plain-null", "sid-arm64-plain-null"]);
    expect(selectCases({}).map(({ id }) => id)).toContain("6.1-amd64-plain-null");
    expect(selectCases({ suite: "bookworm" }).every(({ kernel }) => kernel.flavour.startsWith("cloud"))).toBe(true);
  });
});
