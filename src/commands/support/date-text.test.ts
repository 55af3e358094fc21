import { afterAll, describe, expect, it } from "vitest";
import { clockText, dateText, durationText, sizeText } from "./date-text.ts";

const zone = process.env.TZ;
afterAll(() => {
  if (zone === undefined) delete process.env.TZ;
  else process.env.TZ = zone;
});

describe("dates", () => {
  it("are written as ctime does, in the reader's zone", () => {
    process.env.TZ = "UTC";
    expect(dateText(1795170094_920000000n)).toBe("Fri Nov 20 10:21:34 UTC 2026");
    expect(dateText(1796083200_000000000n)).toBe("Tue Dec  1 00:00:00 UTC 2026");
    process.env.TZ = "Europe/Berlin";
    expect(dateText(1795170094_920000000n)).toBe("Fri Nov 20 11:21:34 CET 2026");
    expect(dateText(1782000000_000000000n)).toBe("Sun Jun 21 02:00:00 CEST 2026");
  });

  it("do not fail on nonsense", () => {
    expect(dateText(2n ** 80n)).toBe("(no date)");
  });
});

it("ages and sizes carry their units", () => {
  expect(durationText(5_227_000_000n)).toBe("00:00:05");
  expect(durationText(90_061_000_000_000n)).toBe("1 days, 01:01:01");
  expect(clockText(3661)).toBe("01:01:01");
  expect(sizeText(267890688)).toBe("255.5 MB");
  expect(sizeText(8 * 2 ** 30)).toBe("8 GB");
});
