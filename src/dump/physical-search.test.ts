import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { SearchPattern } from "../bytes/search-pattern.ts";
import { workerSettings } from "../bytes/worker-pool.ts";
import type { Dump } from "./dump.ts";
import { openDump } from "./open.ts";
import type { UnreadPages } from "./physical-scan.ts";
import { physicalSearch } from "./physical-search.ts";

const PAGE = 4096;
const PAGES = 6 * 1024;
const WORD: SearchPattern = { kind: "words", bits: 64, values: [0xdead_beef_0bad_f00dn], mask: 0n };
const TEXT: SearchPattern = { kind: "texts", texts: [new TextEncoder().encode("across the border")] };
const script = workerSettings.script;
let directory: string;
let file: string;
let dump: Dump;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "inquest-search-"));
  const worker = join(directory, "worker.cjs");
  await build({
    entryPoints: [join(import.meta.dirname, "../faces/index-worker.ts")],
    outfile: worker,
    bundle: true,
    platform: "node",
    format: "cjs",
    define: { "import.meta.url": '"file:///"' },
    external: ["zstddec"],
    logLevel: "error",
  });
  workerSettings.script = pathToFileURL(worker);
  const bytes = new Uint8Array(PAGES * PAGE);
  const view = new DataView(bytes.buffer);
  for (let page = 0; page < PAGES; page += 7) view.setBigUint64(page * PAGE + 8 * (page % 512), 0xdead_beef_0bad_f00dn, true);
  // One that no word begins at, and texts over the borders of pages and of chunks.
  view.setBigUint64(3 * PAGE + 4, 0xdead_beef_0bad_f00dn, true);
  for (const page of [1, 64, 1024, 2048]) bytes.set(new TextEncoder().encode("across the border"), page * PAGE - 8);
  file = join(directory, "ram.bin");
  writeFileSync(file, bytes);
  dump = await openDump(`${file}@0`);
});

afterAll(() => {
  workerSettings.script = script;
  dump.close();
  rmSync(directory, { recursive: true, force: true });
});

function found(pattern: SearchPattern, threads: number, ranges = [{ start: 0, end: PAGES * PAGE }]) {
  const unread: UnreadPages = new Map();
  const hits = [...physicalSearch(dump, ranges, pattern, unread, { files: [`${file}@0`], threads })];
  return { hits: hits.map(({ range, address }) => `${range}:${address.toString(16)}`), unread: [...unread] };
}

describe("physicalSearch", () => {
  const expected = Array.from({ length: Math.ceil(PAGES / 7) }, (_, i) => `0:${(i * 7 * PAGE + 8 * ((i * 7) % 512)).toString(16)}`);

  it.each([0, 1, 2])("finds every word once, in order, with %s other threads", (threads) => {
    expect(found(WORD, threads)).toEqual({ hits: expected, unread: [] });
  });

  it.each([0, 2])("finds texts over borders with %s other threads", (threads) => {
    expect(found(TEXT, threads).hits).toEqual([1, 64, 1024, 2048].map((page) => `0:${(page * PAGE - 8).toString(16)}`));
  });

  it("keeps to the ranges, and counts pages that are not there", () => {
    const ranges = [
      { start: 7 * PAGE + 8 * 7, end: 14 * PAGE + 8 * 14 },
      { start: 14 * PAGE + 8 * 14, end: 15 * PAGE },
      { start: (PAGES - 1) * PAGE, end: (PAGES + 3) * PAGE },
    ];
    const { hits, unread } = found(WORD, 0, ranges);
    expect(hits).toEqual([`0:${(7 * PAGE + 56).toString(16)}`, `1:${(14 * PAGE + 112).toString(16)}`]);
    expect(unread).toEqual([["absent", 3]]);
  });

  it("does the work itself when a helper cannot open the dump", () => {
    const hits = [...physicalSearch(dump, [{ start: 0, end: PAGES * PAGE }], WORD, new Map(), { files: ["/nowhere"], threads: 1 })];
    expect(hits.length).toBe(expected.length);
  });
});
