/** Contents of test pages: different for each page, compressible, and checkable without keeping them. */
import { Random } from "../../bytes/testing/random.ts";
import type { Dump, PageFault } from "../dump.ts";

/** The page that every test dump has at `pfn`: words of a small vocabulary, or noise for every fifth page. */
export function testPage(pfn: number, size = 4096): Uint8Array {
  const random = new Random(pfn * 2654435761);
  const page = new Uint8Array(size);
  const noise = pfn % 5 === 4;
  for (let at = 0; at < size; ) {
    if (noise || random.below(4) === 0) {
      page[at++] = random.below(256);
      continue;
    }
    const length = Math.min(size - at, 4 + random.below(60));
    page.fill(random.below(8), at, at + length);
    at += length;
  }
  return page;
}

/** What a page of a dump reads as: "right" for testPage(pfn), "other" bytes, or why it could not be read. */
export function verdict(dump: Dump, pfn: number): "right" | "zero" | "other" | PageFault["reason"] {
  const target = new Uint8Array(dump.pageSize).fill(0xcc);
  const fault = dump.readPage(pfn, target);
  if (fault !== undefined) return fault.reason;
  if (target.every((byte) => byte === 0)) return "zero";
  const expected = testPage(pfn, dump.pageSize);
  return target.every((byte, index) => byte === expected[index]) ? "right" : "other";
}

/** Verdicts of pages 0 … count-1. */
export function verdicts(dump: Dump, count: number): string[] {
  return Array.from({ length: count }, (_, pfn) => verdict(dump, pfn));
}
