import { describe, expect, it } from "vitest";
import { SparseMemory, smallKernel } from "../../kernel/testing/small-kernel.ts";
import type { LogEvent } from "../subject/log-events.ts";
import type { Subject } from "../subject/subject.ts";
import { beforeTold, endTold } from "./log-told.ts";

const event = (family: LogEvent["family"], text: string, time: number, kind: LogEvent["kind"] = "panic"): LogEvent => ({
  family,
  kind,
  text,
  index: 0,
  time,
});
const subject = (more: Partial<Subject>): Subject => ({ before: [], after: [], ...more }) as unknown as Subject;
const fault = event("fault", "BUG: unable to handle page fault", 33.2, "page fault");

describe("what the log says around it", () => {
  it("an earlier event is told with its distance, and not called innocent", () => {
    const earlier = { event: event("warning", "BUG: scheduling while atomic: a/1/2", 27.2, "atomic"), why: "" };
    expect(beforeTold(smallKernel({}), subject({ event: fault, before: [earlier] }))).toEqual([
      'Earlier in the log, 6.0 s before: "BUG: scheduling while atomic: a/1/2"; whether it has to do with this is not proved.',
    ]);
  });

  it("what the machine says in several lines is one event", () => {
    const lead = { event: event("hardware", "mce: CPU 0: Machine Check Exception", 11.0, "machine check"), why: "" };
    const last = event("hardware", "mce: Processor Context Corrupt", 11.01, "machine check");
    expect(beforeTold(smallKernel({}), subject({ event: last, before: [lead] }))).toEqual([]);
  });

  it("without a log nothing is said of its beginning", () => {
    expect(beforeTold(smallKernel({}), subject({ event: fault }))).toEqual([]);
  });

  it("why the kernel panicked, and who saved the memory", () => {
    const memory = new SparseMemory().put(0xffff800000001000n, 1, 4).put(0xffff800000001010n, 0);
    const kernel = smallKernel({
      memory,
      symbols: { panic_on_oops: [0xffff800000001000n, "D"], kexec_crash_image: [0xffff800000001010n, "B"] },
    });
    const after = [event("panic", "Kernel panic - not syncing: Fatal exception", 33.3)];
    expect(endTold(kernel, subject({ event: fault, after }), "")).toEqual([
      'At 33.3 s the kernel panicked: "Fatal exception" (panic_on_oops is set). No crash kernel was loaded: the memory was saved from outside.',
    ]);
    expect(endTold(smallKernel({}), subject({ event: fault }), "")).toEqual([]);
  });
});

describe("a dump that was asked for", () => {
  it("after a report of its own is told to have been, with the time between", () => {
    const report = event("corruption", "BUG lab_widget: Right Redzone overwritten", 21.4, "slub");
    const deliberate = event("deliberate", "sysrq: Trigger a crash", 23.1, "sysrq");
    const after = [deliberate, event("panic", "Kernel panic - not syncing: sysrq triggered crash", 23.1)];
    expect(endTold(smallKernel({}), subject({ event: report, deliberate, after }), "")).toEqual([
      "The dump was asked for 1.7 s later: sysrq: Trigger a crash.",
    ]);
  });
});
