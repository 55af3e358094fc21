/** The handbook of detectors as Markdown, made from their own declarations: docs/detectors.md. */
import { CLASS_WORDS } from "../../diagnosis/class-words.ts";
import type { Detector } from "../../diagnosis/detector.ts";

/** Text of docs/detectors.md. */
export function detectorManual(detectors: readonly Detector[]): string {
  const lines = [
    "# What `analyze` can conclude",
    "",
    "Made from the detectors' own declarations by `npm run docs`. Each looks for one kind of trouble, says what it needs of the dump, and what",
    "could refute it; a check that could not be made lowers the confidence (high, likely, possible), one that refutes it makes the finding an",
    "alternative. In the order in which they are asked: of two findings equally sure and equally far behind what was seen, the earlier is the",
    "verdict.",
  ];
  for (const { name, classes, needs, refutedBy } of detectors) {
    lines.push("", `## ${name}`, "", `Says: ${classes.map((each) => `\`${each}\` (${CLASS_WORDS[each]})`).join(", ")}.`, "");
    for (const need of needs) lines.push(`- needs ${need}`);
    for (const refuted of refutedBy) lines.push(`- refuted by: ${refuted}`);
  }
  return `${lines.join("\n")}\n`;
}
