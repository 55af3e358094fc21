/**
 * Made-up reports in the words and layouts of the kernel's releases and machines, one or more for each form that a printing function has
 * had: samples/*.txt, "== name | function | class | family | fields as JSON" and the lines. Each is read three times: bare, with times and
 * caller ids, and through a syslog with the lines of another task between.
 */
import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { explainReport } from "../explain.ts";
import { reportsIn } from "../find-reports.ts";
import type { LogReport } from "../report.ts";

const SAMPLES = new URL("./samples/", import.meta.url);
const samples = readdirSync(SAMPLES).flatMap((file) =>
  readFileSync(new URL(file, SAMPLES), "utf8")
    .split(/^== /m)
    .slice(1)
    .map((block) => {
      const [head = "", ...lines] = block.split("\n");
      const [name = "", wanted = "", verdict = "", family = "", fields = "{}"] = head.split(" | ").map((part) => part.trim());
      return { name, wanted, verdict, family, fields: JSON.parse(fields) as object, lines };
    }),
);

const time = (index: number): string => `[   10.${100_000 + index}]`;
const FORMS: readonly ((line: string, index: number) => string)[] = [
  (line) => line,
  (line, index) => `${time(index)}[   T77] ${line}`,
  (line, index) =>
    `Nov 19 10:00:01 host kernel: ${time(index)}[   T77] ${line}\nNov 19 10:00:01 host kernel: ${time(index)}[    T5] usb 1-1: new device`,
];

test.each(samples)("$name", ({ wanted, verdict, family, fields, lines }) => {
  for (const form of FORMS) {
    const reports = reportsIn(lines.map(form).join("\n"));
    const [report] = reports as [LogReport];
    const explained = explainReport(report).verdict;
    expect({ family: report.family, function: explained.function ?? "-", class: explained.class, damage: report.damage }).toEqual({
      family,
      function: wanted === "?" ? (explained.function ?? "-") : wanted,
      class: verdict,
      damage: [],
    });
    expect(report.fields).toMatchObject(fields);
    // A second report only where the sample has one.
    expect(reports.length).toBeLessThanOrEqual(lines.filter((line) => line.startsWith("INFO: task")).length || 1);
  }
});
