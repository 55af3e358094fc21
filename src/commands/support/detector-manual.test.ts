import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { DETECTORS } from "../../diagnosis/detectors.ts";
import { detectorManual } from "./detector-manual.ts";

describe("the handbook of detectors", () => {
  it("is up to date (npm run docs makes it anew)", () => {
    expect(readFileSync(new URL("../../../docs/detectors.md", import.meta.url), "utf8")).toBe(detectorManual(DETECTORS));
  });

  it("has of every detector what it needs and what could refute it", () => {
    for (const { name, classes, needs, refutedBy } of DETECTORS) {
      expect(classes.length, name).toBeGreaterThan(0);
      expect(needs.length, name).toBeGreaterThan(0);
      expect(refutedBy.length, name).toBeGreaterThan(0);
    }
    expect(new Set(DETECTORS.map(({ name }) => name)).size).toBe(DETECTORS.length);
  });
});
