import { expect, test } from "vitest";
import { frameLine, plainName } from "./frame-line.ts";

test.each([
  [" widget_poll+0x12/0x340 [widget]", { function: "widget_poll", offset: 0x12, size: 0x340, module: "widget" }],
  [" widget_poll+0x12/0x340 [widget 0123abcdef]", { function: "widget_poll", module: "widget" }],
  [" ? widget_poll+0x12/0x340", { function: "widget_poll", doubtful: true }],
  [" [<ffffffff81000000>] widget_poll.isra.3+0x12/0x340", { function: "widget_poll" }],
  [" [<ffffffff81000000>] ? widget_poll+0x12/0x340", { doubtful: true }],
  [" <IRQ>  [<ffffffff813d2223>] widget_poll+0x12/0x340", { function: "widget_poll" }],
  ["[c00000003ae5b800] [c00000000135c19c] widget_poll+0x128/0x1cc (unreliable)", { function: "widget_poll", doubtful: true }],
  [" widget_poll+0x12/0x340 drivers/widget/core.c:77", { file: "drivers/widget/core.c", line: 77 }],
  [" widget_poll+0x12/0x340 (P)", { function: "widget_poll" }],
  [" widget_find drivers/widget/core.c:70 [inline]", { function: "widget_find", inlined: true, line: 70 }],
])("%s", (line, wanted) => {
  expect(frameLine(line)).toMatchObject([wanted]);
});

test("arm tells two frames in a line", () => {
  const frames = frameLine("[<8011218c>] (widget_poll) from [<8010e300>] (show_widget+0x18/0x1c)");
  expect(frames.map((frame) => frame.function)).toEqual(["widget_poll", "show_widget"]);
  expect(frameLine(" widget_poll from show_widget+0x18/0x1c")[1]).toMatchObject({ offset: 0x18, size: 0x1c });
});

test.each([
  " #0: ffff888018d79098 (&tty->ldisc_sem){++++}-{0:0}, at: tty_ldisc_ref_wait+0x22/0x80",
  "hardirqs last  enabled at (16251): [<ffffffff8952dbc0>] _raw_spin_unlock_irqrestore+0x50/0x70",
  "CPU: 0 PID: 1 Comm: x Not tainted 6.1.0 #1",
  "RAX: 0000000000000000 RBX: 0000000000000003",
  "PM: suspend entry (deep)",
])("no frame: %s", (line) => {
  expect(frameLine(line)).toEqual([]);
});

test("what the compiler adds to names goes", () => {
  expect(plainName("f.part.0.cold")).toBe("f");
  expect(plainName("f.llvm.1234")).toBe("f");
  expect(plainName(".f")).toBe("f");
  expect(plainName("f.g")).toBe("f.g");
});
