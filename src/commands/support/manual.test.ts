import { describe, expect, it } from "vitest";
import { commandRegistry } from "../registry.ts";
import { commandPage, wrap } from "./help-page.ts";

const specs = commandRegistry.all().map(({ spec }) => spec);

describe("the manual", () => {
  it.each(specs.map((spec) => [spec.name, spec] as const))("%s: its spec is fit for a page", (_, spec) => {
    expect(spec.summary).toMatch(/^[^A-Z.][^.]*$|^[A-Z]{2}/);
    expect(spec.synopsis.length).toBeGreaterThan(0);
    expect(spec.description.join("")).not.toBe("");
    const flags = spec.options.map(({ flag }) => flag);
    expect(new Set(flags).size).toBe(flags.length);
    for (const { flag, help } of spec.options) {
      expect(flag).toMatch(/^-[\w-]+$/);
      expect(help).not.toBe("");
    }
    const page = [...commandPage(spec)];
    expect(page[0]).toBe("NAME");
    for (const { flag } of spec.options) expect(page.some((line) => line.trimStart().startsWith(flag))).toBe(true);
  });

  it("wraps paragraphs and keeps long words", () => {
    const lines = [...wrap(`${"word ".repeat(50)}${"x".repeat(120)} end`, 2)];
    expect(lines.every((line) => line.length <= 96 || line.includes("xxx"))).toBe(true);
    expect(lines.join(" ").split(/\s+/).filter(Boolean)).toHaveLength(52);
  });
});
