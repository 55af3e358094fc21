import { describe, expect, test } from "vitest";
import { reportsIn } from "./find-reports.ts";
import { LineWrap } from "./line-wrap.ts";

const LONG =
  "[   12.345678] WARNING: CPU: 1 PID: 2 at drivers/widget/a_directory/another_one/a_file_of_a_long_name.c:1234 widget_poll+0x12/0x40 [widget]";

describe("a console of 80 columns", () => {
  test("the rest of a line that was cut at the width is joined, in as many pieces as there are", () => {
    const wrap = new LineWrap();
    const [first, second, third] = [LONG.slice(0, 80), LONG.slice(80, 100), "x"] as const;
    expect(wrap.join(first, 80, second)).toBe(first + second);
    expect(wrap.join(first + second, 20, third)).toBeUndefined();
    const three = `[   12.345678] ${"y".repeat(200)}`;
    const joined = wrap.join(three.slice(0, 80), 80, three.slice(80, 160));
    expect(wrap.join(joined ?? "", 80, three.slice(160))).toBe(three);
  });
  test("a line with a time of its own is no rest, nor is one behind a line of another width", () => {
    const wrap = new LineWrap();
    expect(wrap.join(LONG.slice(0, 80), 80, "[   12.345679] next")).toBeUndefined();
    expect(wrap.join(LONG.slice(0, 73), 73, "plain output of a program")).toBeUndefined();
    expect(wrap.join("a line without time of exactly 80 columns ".padEnd(80, "."), 80, "next")).toBeUndefined();
  });
  test("a head that was cut in the middle of its words is found", () => {
    const text = `${LONG.slice(0, 100)}\n${LONG.slice(100)}\n[   12.345679] Call Trace:\n[   12.345680]  widget_read+0x1/0x2 [widget]\n`;
    expect(reportsIn(text)[0]).toMatchObject({ family: "warning", pc: { function: "widget_poll", module: "widget" } });
  });
});

test("quoted-printable: soft breaks joined, codes decoded", () => {
  const head = "[   12.345678] BUG: KASAN: slab-out-of-bounds in widget_poll+0x12/0x40";
  const soft = `${head} drivers/a_directory/widget.c:12 x=3D1`;
  const text = `${soft.slice(0, 75)}=\n${soft.slice(75)}\n[   12.345679] Read of size 8 at addr ffff888012345678 by task x/1\n[   12.345680] Call Trace:\n[   12.345681]  widget_poll+0x12/0x40\n`;
  const [report] = reportsIn(text);
  expect(report?.head).toBe(`${head.slice(15)} drivers/a_directory/widget.c:12 x=1`);
});
