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
  [`** 2977 printk messages dropped ** [   12.345678] ${BODY}`, { time: 12.345678 }],
  [BODY, {}],
])("%s", (line, wanted) => {
  const pieces = takePrefix(line);
  expect(pieces.at(-1)).toMatchObject({ text: BODY, ...wanted });
  expect(pieces).toHaveLength(1);
});

test("two lines glued together are two", () => {
  const pieces = takePrefix(`trusty crashed[  740.966534] one[  740.966600] ${BODY}`);
  expect(pieces.map(({ text }) => text)).toEqual(["trusty crashed", "one", BODY]);
});

test("brackets in the text are no prefix", () => {
  expect(takePrefix("Modules linked in: [last unloaded: x]")[0]?.text).toBe("Modules linked in: [last unloaded: x]");
  expect(takePrefix(" [<ffffffff81000000>] f+0x1/0x2")[0]?.text).toBe(" [<ffffffff81000000>] f+0x1/0x2");
});
