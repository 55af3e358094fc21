import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { cacheSettings } from "../../bytes/cache-directory.ts";
import type { DebugSections } from "../debug-sections.ts";
import * as dw from "./constants.ts";
import { buildIndex } from "./name-build.ts";
import { NameIndex } from "./name-index.ts";
import { decodeIndex, encodeIndex, loadIndex, saveIndex } from "./name-index-file.ts";
import { readUnitTable } from "./name-units.ts";
import { buildDwarf } from "./testing/build-dwarf.ts";
import { die } from "./testing/test-entries.ts";

const built = buildDwarf([
  {
    root: die(
      dw.DW_TAG_compile_unit,
      [],
      die(dw.DW_TAG_structure_type, [
        [dw.DW_AT_name, "task_struct"],
        [dw.DW_AT_byte_size, 9000],
      ]),
      die(dw.DW_TAG_typedef, [[dw.DW_AT_name, "u8", dw.DW_FORM_string]]),
      die(dw.DW_TAG_subprogram, [
        [dw.DW_AT_name, "schedule"],
        [dw.DW_AT_low_pc, 0xffffffff81000000n],
        [dw.DW_AT_high_pc, 64],
      ]),
    ),
  },
]);
const index = buildIndex(built, readUnitTable(built.section(".debug_info") as never));

/** A file on disk with a build-id, as far as the cache sees. */
function onDisk(more: Partial<DebugSections> = {}): DebugSections {
  const { file, machine, split } = built;
  return {
    file,
    machine,
    split,
    buildId: "00112233445566778899aabbccddeeff00112233",
    reopenable: true,
    section: (name) => built.section(name),
    supplementary: () => undefined,
    splitUnit: () => undefined,
    ...more,
  };
}

function content(made = "me"): Uint8Array<ArrayBuffer> {
  const parts = encodeIndex(index, made);
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

const before = { ...cacheSettings };
let directory = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "inquest-names-"));
  cacheSettings.directory = directory;
});
afterEach(() => {
  Object.assign(cacheSettings, before);
  rmSync(directory, { recursive: true, force: true });
});

describe("file of an index", () => {
  it("gives back the same arrays", () => {
    for (const made of ["me", "a longer one", ""]) expect(decodeIndex(content(made), made)).toEqual(index);
  });

  it("is refused when any byte is another, when it ends early, and when it was made from something else", () => {
    const whole = content();
    for (let at = 0; at < whole.length; at++) {
      const bytes = whole.slice();
      bytes[at] = (bytes[at] as number) ^ (1 << (at % 8));
      expect(decodeIndex(bytes, "me")).toBeUndefined();
    }
    for (let length = 0; length < whole.length; length++) expect(decodeIndex(whole.slice(0, length), "me")).toBeUndefined();
    expect(decodeIndex(whole, "you")).toBeUndefined();
    expect(decodeIndex(whole, "me too")).toBeUndefined();
  });

  it("is found again by the build-id, and answers", () => {
    expect(loadIndex(onDisk())).toBeUndefined();
    expect(saveIndex(onDisk(), index)).toBe(true);
    expect(readdirSync(directory)).toEqual(["00112233445566778899aabbccddeeff00112233.names"]);
    const kept = loadIndex(onDisk());
    expect(kept).toEqual(index);
    const names = new NameIndex((kept ?? index).names, built.section(".debug_str"));
    expect(names.find("struct", "task_struct")).toHaveLength(1);
    expect(names.find("typedef", "u8")).toHaveLength(1);
    expect(names.names("function", "", 9)).toEqual(["schedule"]);
  });

  it("is made only of files that have a build-id and are as they are on disk", () => {
    for (const sections of [onDisk({ buildId: undefined }), onDisk({ reopenable: false }), onDisk({ buildId: "../../etc/passwd" })]) {
      expect(saveIndex(sections, index)).toBe(false);
      expect(loadIndex(sections)).toBeUndefined();
    }
    expect(readdirSync(directory)).toEqual([]);
  });

  it("is replaced when it is damaged or another file's", () => {
    saveIndex(onDisk(), index);
    const path = join(directory, "00112233445566778899aabbccddeeff00112233.names");
    const sound = readFileSync(path);
    for (const bad of [
      new Uint8Array(0),
      new Uint8Array(5000),
      sound.subarray(0, 100),
      new TextEncoder().encode("something else entirely".repeat(9)),
    ]) {
      writeFileSync(path, bad);
      expect(loadIndex(onDisk())).toBeUndefined();
      saveIndex(onDisk(), index);
      expect(readFileSync(path).equals(sound)).toBe(true);
    }
    const larger = onDisk({ section: (name) => (name === ".debug_ranges" ? built.section(".debug_info") : built.section(name)) });
    expect(loadIndex(larger)).toBeUndefined();
  });
});
