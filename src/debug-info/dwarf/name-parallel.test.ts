import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { cacheSettings } from "../../bytes/cache-directory.ts";
import { openFile } from "../../bytes/file-source.ts";
import { workerSettings } from "../../bytes/worker-pool.ts";
import { DebugFile } from "../debug-file.ts";
import { buildElfFile, buildIdSection } from "../testing/build-elf-file.ts";
import * as dw from "./constants.ts";
import { type BuiltIndex, buildIndex, finish, NameBuilder } from "./name-build.ts";
import { NameIndex } from "./name-index.ts";
import { loadIndex } from "./name-index-file.ts";
import { buildInBackground, buildParallel, merge, shareOf } from "./name-parallel.ts";
import { readUnitTable } from "./name-units.ts";
import { buildDwarf } from "./testing/build-dwarf.ts";
import { rangeList } from "./testing/build-lists.ts";
import { die, type TestDie } from "./testing/test-entries.ts";

const UNITS = 60;
const KINDS = ["struct", "enum", "constant", "typedef", "function", "variable"] as const;
const before = { cache: { ...cacheSettings }, script: workerSettings.script };
let directory = "";
let sections: DebugFile;

/** Units that share some names, and each have some of their own. */
function unit(number: number, abstract: TestDie): TestDie {
  const color = die(
    dw.DW_TAG_enumeration_type,
    [[dw.DW_AT_byte_size, 4]],
    die(dw.DW_TAG_enumerator, [
      [dw.DW_AT_name, "RED"],
      [dw.DW_AT_const_value, 0],
    ]),
  );
  const shared = die(
    dw.DW_TAG_structure_type,
    [
      [dw.DW_AT_name, "list_head"],
      [dw.DW_AT_byte_size, 16],
    ],
    die(dw.DW_TAG_member, [[dw.DW_AT_name, number % 20 === 7 ? "first" : "next"]]),
  );
  const low = BigInt(0x1000 * (UNITS - number));
  return die(
    dw.DW_TAG_compile_unit,
    [[dw.DW_AT_low_pc, low]],
    ...(number === 0 ? [abstract] : []),
    die(dw.DW_TAG_typedef, [[dw.DW_AT_name, `own${number}`, dw.DW_FORM_string]]),
    color,
    shared,
    die(dw.DW_TAG_subprogram, [
      [dw.DW_AT_abstract_origin, abstract],
      [dw.DW_AT_low_pc, low],
      [dw.DW_AT_high_pc, 16],
    ]),
    die(dw.DW_TAG_subprogram, [
      [dw.DW_AT_name, "scattered"],
      [dw.DW_AT_ranges, rangeList(["offset_pair", 0x20, 0x30], ["offset_pair", 0x40, 0x48])],
    ]),
    die(dw.DW_TAG_variable, [
      [dw.DW_AT_name, "state"],
      [dw.DW_AT_location, [3]],
    ]),
  );
}

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "inquest-parallel-"));
  cacheSettings.directory = join(directory, "cache");
  const script = join(directory, "worker.cjs");
  await build({
    entryPoints: [join(import.meta.dirname, "../../faces/index-worker.ts")],
    outfile: script,
    bundle: true,
    platform: "node",
    format: "cjs",
    define: { "import.meta.url": '"file:///"' },
    external: ["zstddec"],
    logLevel: "error",
  });
  workerSettings.script = pathToFileURL(script);
  const abstract = die(dw.DW_TAG_subprogram, [[dw.DW_AT_name, "inlined"]]);
  const { contents } = buildDwarf(Array.from({ length: UNITS }, (_, number) => ({ root: unit(number, abstract) })));
  const file = join(directory, "vmlinux");
  const debug = [...contents].map(([name, content]) => ({ name, content }));
  writeFileSync(file, buildElfFile({ sections: [buildIdSection([1, 2, 3, 4, 5, 6, 7, 8]), ...debug] }));
  sections = DebugFile.open(openFile(file));
});

afterEach(() => rmSync(join(directory, "cache"), { recursive: true, force: true }));

afterAll(() => {
  Object.assign(cacheSettings, before.cache);
  workerSettings.script = before.script;
  rmSync(directory, { recursive: true, force: true });
});

const info = () => sections.section(".debug_info") as NonNullable<ReturnType<DebugFile["section"]>>;

/** What an index answers, whatever the order of its tables. */
function answers({ names, functions, damaged }: BuiltIndex): unknown {
  const index = new NameIndex(names, sections.section(".debug_str"));
  const all = ["list_head", "RED", "inlined", "scattered", "state", ...Array.from({ length: UNITS }, (_, number) => `own${number}`)];
  return { damaged, functions, found: KINDS.flatMap((kind) => all.map((name) => [kind, name, index.find(kind, name)])) };
}

describe("an index built by several threads", () => {
  it("is the one that one thread builds", () => {
    const one = answers(buildIndex(sections, readUnitTable(info())));
    // Threads differ in what they get hold of.
    for (let run = 0; run < 3; run++) expect(answers(buildParallel(sections, info(), { helpers: 3, least: 0, piece: 64 }))).toEqual(one);
  });

  it("is the same however the units were shared out", () => {
    const units = readUnitTable(info());
    const pieces = Uint32Array.from({ length: UNITS + 1 }, (_, number) => number);
    for (const divisor of [2, 3, 7]) {
      const [own, other] = [new NameBuilder(sections, info(), units), new NameBuilder(sections, info(), units)];
      const others = [...pieces.keys()].filter((piece) => piece < UNITS && piece % divisor === 0);
      for (let piece = 0; piece < UNITS; piece++) (others.includes(piece) ? other : own).walk(piece, piece + 1);
      merge(own, structuredClone(shareOf(other)), others, pieces);
      expect(answers(finish(own, sections, units))).toEqual(answers(buildIndex(sections, units)));
    }
  });

  it("is built by this one alone when the others fail", () => {
    const one = answers(buildIndex(sections, readUnitTable(info())));
    const { script } = workerSettings;
    const broken = join(directory, "broken.cjs");
    writeFileSync(broken, "throw new Error('no');");
    for (const bad of [undefined, pathToFileURL(join(directory, "missing.cjs")), pathToFileURL(broken)]) {
      workerSettings.script = bad;
      expect(answers(buildParallel(sections, info(), { helpers: 2, least: 0, piece: 64 }))).toEqual(one);
    }
    workerSettings.script = script;
  });

  it("is there when it was waited for, or told of, and is kept for the next run", async () => {
    const one = answers(buildIndex(sections, readUnitTable(info())));
    expect(answers(buildInBackground(sections, 0)?.wait(20_000) as BuiltIndex)).toEqual(one);
    expect(readdirSync(join(directory, "cache"))).toEqual(["0102030405060708.names"]);
    expect(answers(loadIndex(sections) as BuiltIndex)).toEqual(one);
    const told = await new Promise((resolve) => buildInBackground(sections, 0)?.onDone(resolve));
    expect(answers(told as BuiltIndex)).toEqual(one);
  });

  it("is not built elsewhere when the file is small, or not as it is on disk", () => {
    expect(buildInBackground(sections)).toBeUndefined();
    const { file, machine, buildId, split } = sections;
    const relocated = {
      file,
      machine,
      buildId,
      split,
      section: sections.section.bind(sections),
      supplementary: () => undefined,
      splitUnit: () => undefined,
    };
    expect(buildInBackground(relocated, 0)).toBeUndefined();
  });
});
