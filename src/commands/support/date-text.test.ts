import { describe, expect, test } from "vitest";
import { clockText, dateText, durationText, sizeText } from "./date-text.ts";

describe("date-text", () => {
  test("dates have ctime's order and the reader's zone", () => {
    // The zone depends on where the test runs; the order and the width of the day do not.
    expect(dateText(1_795_170_137_250_000_000n)).toMatch(/^\w{3} Nov [ 12]\d \d\d:\d\d:17 \S+ 2026$/);
    expect(dateText(1_793_000_000_000_000_000n)).toMatch(/^\w{3} Oct [ 2]\d \d\d:\d\d:\d\d \S+ 2026$/);
    expect(dateText(10n ** 30n)).toBe("(no date)");
  });

  test("durations name days only when there are some", () => {
    expect(durationText(59_999_999_999n)).toBe("00:00:59");
    expect(durationText(90_061n * 1_000_000_000n)).toBe("1 days, 01:01:01");
    expect(clockText(86_399)).toBe("23:59:59");
  });

  test("sizes have one digit behind the point, none for zero", () => {
    expect([267_890_688, 8 * 2 ** 30, 1536, 2 ** 40].map(sizeText)).toEqual(["255.5 MB", "8 GB", "1.5 KB", "1 TB"]);
  });
});
