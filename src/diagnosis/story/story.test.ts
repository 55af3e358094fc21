import { expect, test } from "vitest";
import { smallKernel } from "../../kernel/testing/small-kernel.ts";
import type { DiagnosisContext } from "../context.ts";
import type { Finding } from "../finding.ts";
import type { LogEvent } from "../subject/log-events.ts";
import type { Verdict } from "../verdict.ts";
import { storyOf } from "./story.ts";

const event = (more: Partial<LogEvent>): LogEvent => ({
  family: "stall",
  kind: "hung task",
  text: "INFO: task a:1 blocked for more than 3 seconds.",
  index: 0,
  time: 24.5,
  ...more,
});

function story(of: LogEvent, finding: Partial<Finding> | undefined, verdict: Partial<Verdict> = {}, silent: readonly string[] = []) {
  const subject = { event: of, before: [], after: [], deliberate: of.family === "deliberate" ? of : undefined, notes: [] };
  return storyOf({
    context: { kernel: smallKernel({}), subject } as unknown as DiagnosisContext,
    verdict: { class: "deadlock", title: "", confidence: "high", ...verdict },
    finding:
      finding === undefined ? undefined : { class: "deadlock", title: "", checks: [], story: ["a waits for b."], evidence: [], ...finding },
    confidence: "high",
    fault: undefined,
    frames: [],
    sharers: ["b has it too."],
    silent,
  });
}

test("trouble of others begins with what the log first says of it", () => {
  expect(story(event({}), { subject: { pid: 1, comm: "a" } }).slice(0, 3)).toEqual([
    'The first sign of it is in the log, 24.5 s after boot: "INFO: task a:1 blocked for more than 3 seconds."',
    "a waits for b.",
    "b has it too.",
  ]);
});

test("a dump that was asked for is no sign of what is found in it", () => {
  const asked = event({ family: "deliberate", kind: "sysrq", text: "sysrq: Trigger a crash" });
  expect(story(asked, { subject: { pid: 1, comm: "a" } })[0]).toBe(
    "The log has nothing of it: the dump was asked for, 24.5 s after boot (sysrq: Trigger a crash).",
  );
});

test("of a healthy machine it is told what was looked for", () => {
  const asked = event({ family: "deliberate", kind: "sysrq", text: "sysrq: Trigger a crash" });
  expect(story(asked, { story: ["It was asked for."] }, { class: "deliberate" }, ["deadlock", "structures", "free"])).toContain(
    "Looked for, and not found: tasks that wait for each other and damaged lists, trees, counters and free lists.",
  );
});

test("what nobody can explain is told as the log has it", () => {
  expect(story(event({}), undefined, { class: "unknown" })).toContain('The log says: "INFO: task a:1 blocked for more than 3 seconds."');
});
