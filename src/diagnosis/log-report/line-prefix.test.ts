import { expect, test } from "vitest";
import { takePrefix } from "./line-prefix.ts";

const BODY = "BUG: scheduling while atomic: tool/12/0x00000002";

test.each([
  [`[   12.345678] ${BODY}`, { time: 12.345678 }],
  [`[   12.345678][    T1] ${BODY}`, { time: 12.345678, caller: "T1" }],
  [`[   12.345678][   C10] ${BODY}`, { time: 12.345678, caller: "C10" }],
  [`<4>[   12.345678] ${BODY}`, { time: 12.345678, level: 4 }],
  [`<4>${BODY}`, { level: 4 }],
  [`Nov 19 10:00:01 host kernel: [   12.345678] ${BODY}`, { time: 12.345678 }],
  [`Nov  9 10:00:01 host kernel: ${BODY}`, {}],
  [`2024-11-19T10:00:01+00:00 host kernel[-]: ${BODY}`, {}],
  [`2024-11-19T10:00:01.123456+0100 host kernel: [   12.345678] ${BODY}`, { time: 12.345678 }],
  [`[   12.345678] host kernel: ${BODY}`, { time: 12.345678 }],
  [`6,339,12345678,-;${BODY}`, { time: 12.345678, level: 6 }],
  [`6,339,12345678,-,caller=T7;${BODY}`, { time: 12.345678, level: 6, caller: "T7" }],
  [`[Tue Nov 19 10:00:01 2024] ${BODY}`, {}],
  [`> > [   12.345678] ${BODY}`, { time: 12.345678 }],
  [`[   16.761978] c0    123 ${BODY}`, { time: 16.761978 }],
  [`[42476.915570]-(0)[848:ndroid.systemui]${BODY}`, { time: 42476.91557 }],
  [`[42476.915570] (10)[12:sh] ${BODY}`, { time: 42476.91557 }],
  [` kernel:${BODY}`, {}],
  [` kernel:[   12.345678] ${BODY}`, { time: 12.345678 }],
  [`11-19 10:00:01.123     0     0 E KERNEL  : ${BODY}`, {}],
  [`11-19 10:00:01.123  root     0     0 W         : [   12.345678] ${BODY}`, { time: 12.345678 }],
  [`[   12.345678] [   T1] ${BODY}`, { time: 12.345678, caller: "T1" }],
  [`** 2977 printk messages dropped ** [   12.345678] ${BODY}`, { time: 12.345678 }],
  [`Nov 19 10:00:01.123456 host kernel: ${BODY}`, {}],
  [`Thu 2024-11-21 10:00:01 UTC host kernel: ${BODY}`, {}],
  [`1732183201.123456 host kernel: ${BODY}`, {}],
  [`sty 03 12:44:18 host kernel: ${BODY}`, {}],
  [`ноя 19 10:00:01 host kernel: [   12.345678] ${BODY}`, { time: 12.345678 }],
  [`11月 19 10:00:01 host kernel: ${BODY}`, {}],
  [`Sun Oct 20 01:46:29 2024 kern.err kernel: [   12.345678] ${BODY}`, { time: 12.345678 }],
  [`2025-01-11T14:18:39.91660 kern.err: [   12.345678] ${BODY}`, { time: 12.345678 }],
  [`2024-11-19T10:00:01.123456789Z stdout F ${BODY}`, {}],
  [`[Mar 8 17:07] ${BODY}`, {}],
  [`10:00:01.123 ${BODY}`, {}],
  [`10:00:01 [   12.345678] ${BODY}`, { time: 12.345678 }],
  [`[  +0.000005] ${BODY}`, {}],
  [`  1276.715086:   <1> (01-28 07:22:33.314355613) ${BODY}`, { time: 1276.715086, level: 1 }],
  [BODY, {}],
])("%s", (line, wanted) => {
  const pieces = takePrefix(line);
  expect(pieces.at(-1)).toMatchObject({ text: BODY, ...wanted });
  expect(pieces).toHaveLength(1);
});

test("a word in capitals behind a time is the kernel's, unless it is a time zone", () => {
  const head = "BUG: KFENCE: use-after-free read in widget_poll+0x13/0x40";
  expect(takePrefix(`2025-04-23T04:38:59Z ${head}`)).toMatchObject([{ text: head }]);
  expect(takePrefix(`2025-04-23 04:38:59 ${head}`)).toMatchObject([{ text: head }]);
  expect(takePrefix("2025-04-23T04:38:59Z INFO: task widget:12 blocked")).toMatchObject([{ text: "INFO: task widget:12 blocked" }]);
  expect(takePrefix("2025-04-23T04:38:59Z NIP [c000000000123456] widget_poll")).toMatchObject([
    { text: "NIP [c000000000123456] widget_poll" },
  ]);
  expect(takePrefix(`2025-04-23 04:38:59 CEST host kernel: ${head}`)).toMatchObject([{ text: head }]);
});

test.each([
  [`Nov 19 10:00:01 host tool[12]: ${BODY}`, true],
  [`2024-11-19T10:00:01+00:00 host tool[12]: ${BODY}`, true],
  [`Nov 19 10:00:01 host kernel[0]: ${BODY}`, undefined],
  ["2024-11-19T10:00:01Z Hardware name: QEMU", undefined],
])("a program's line: %s", (line, program) => {
  expect(takePrefix(line).at(-1)?.program).toBe(program);
});

test("two lines glued together are two", () => {
  const pieces = takePrefix(`trusty crashed[  740.966534] one[  740.966600] ${BODY}`);
  expect(pieces.map(({ text }) => text)).toEqual(["trusty crashed", "one", BODY]);
});

test("brackets in the text are no prefix", () => {
  expect(takePrefix("Modules linked in: [last unloaded: x]")[0]?.text).toBe("Modules linked in: [last unloaded: x]");
  expect(takePrefix(" [<ffffffff81000000>] f+0x1/0x2")[0]?.text).toBe(" [<ffffffff81000000>] f+0x1/0x2");
});
