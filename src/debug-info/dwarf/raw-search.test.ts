import { describe, expect, it } from "vitest";
import * as dw from "./constants.ts";
import { RawSearch } from "./raw-search.ts";
import { type BuiltDwarf, buildDwarf } from "./testing/build-dwarf.ts";
import { base, die, type TestAttribute, type TestDie, type TestUnit } from "./testing/test-entries.ts";

function unit(...children: TestDie[]): TestUnit {
  return { root: die(dw.DW_TAG_compile_unit, [], ...children), siblings: true };
}

function search(sections: BuiltDwarf, budget?: number): RawSearch {
  return new RawSearch(sections, sections.section(".debug_info") as NonNullable<ReturnType<BuiltDwarf["section"]>>, budget);
}

const struct = (name: string, ...more: TestAttribute[]) =>
  die(dw.DW_TAG_structure_type, [[dw.DW_AT_name, name], ...more], die(dw.DW_TAG_member, [[dw.DW_AT_name, "usage"]]));

/** So much in front that names are found in later pieces of the section. */
function padding(bytes: number): TestDie {
  return die(dw.DW_TAG_variable, [[dw.DW_AT_const_value, new Uint8Array(bytes), dw.DW_FORM_block4]]);
}

describe("a name without an index", () => {
  it("is found where it is defined first; then the search ends", () => {
    const first = struct("task_struct", [dw.DW_AT_byte_size, 8]);
    const sections = buildDwarf([
      unit(struct("task_struct", [dw.DW_AT_declaration, true])),
      unit(padding(1000), first),
      unit(struct("task_struct", [dw.DW_AT_byte_size, 16]), padding(300_000)),
    ]);
    const raw = search(sections);
    const found = raw.find("struct", "task_struct");
    expect(found?.places.map((place) => place.die)).toEqual([sections.offsetOf(first)]);
    expect(found?.definition).toBe(true);
    expect(raw.searched).toBeLessThan(300_000);
  });

  it("is found in a unit larger than what is read at once, and in the last", () => {
    const sections = buildDwarf([
      unit(padding(50_000)),
      unit(padding(400_000), struct("a_long_name")),
      unit(padding(60_000), struct("last_one")),
    ]);
    expect(search(sections).find("struct", "a_long_name")?.definition).toBe(true);
    expect(search(sections).find("struct", "last_one")?.definition).toBe(true);
    expect(search(sections).find("struct", "missing")).toEqual({ places: [], definition: false });
    expect(search(sections).find("struct", "")).toEqual({ places: [], definition: false });
  });

  /** Entries of these names, then one named "page" whose string is made the tail of the last of them. */
  function tailOf(names: readonly string[], ...more: TestDie[]): { sections: BuiltDwarf; page: TestDie } {
    const page = struct("page");
    const sections = buildDwarf([unit(...names.map((name) => struct(name)), page, ...more)]);
    const strings = sections.contents.get(".debug_str")?.slice() ?? new Uint8Array();
    const at = new TextDecoder().decode(strings).indexOf("\0page\0");
    strings[at] = "_".charCodeAt(0);
    sections.contents.set(".debug_str", strings);
    return { sections, page };
  }

  it("is found where its string is the tail of another, as linkers merge them", () => {
    const few = tailOf(["a_page", "z_page", "usage", "free"]);
    expect(search(few.sections).find("struct", "page")?.places).toEqual([{ unit: 0, die: few.sections.offsetOf(few.page) }]);
    expect(search(few.sections).find("struct", "free_page")?.definition).toBe(true);
    // Of many the one that sorts first from its end; another choice is left to the index.
    const many = Array.from({ length: 20 }, (_, number) => `${String.fromCharCode(102 + number)}_page`);
    const likely = tailOf([...many, "usage", "free"]);
    expect(search(likely.sections).find("struct", "page")?.places).toEqual([{ unit: 0, die: likely.sections.offsetOf(likely.page) }]);
    expect(search(tailOf([...many, "usage", "fresh"]).sections).find("struct", "page")).toBeUndefined();
    expect(search(likely.sections).find("union", "page")).toBeUndefined();
  });

  it("is told from members, parameters and locals of that name", () => {
    const inner = (name: string) =>
      die(
        dw.DW_TAG_subprogram,
        [[dw.DW_AT_name, "f"]],
        die(dw.DW_TAG_variable, [
          [dw.DW_AT_name, name],
          [dw.DW_AT_location, [1]],
        ]),
        struct(name),
      );
    const own = die(dw.DW_TAG_variable, [
      [dw.DW_AT_name, "state"],
      [dw.DW_AT_location, [3, 0]],
    ]);
    const sections = buildDwarf([
      unit(inner("state"), die(dw.DW_TAG_formal_parameter, [[dw.DW_AT_name, "state"]])),
      unit(inner("state"), own),
    ]);
    expect(
      search(sections)
        .find("variable", "state")
        ?.places.map(({ die }) => die),
    ).toEqual([sections.offsetOf(own)]);
    expect(search(sections).find("struct", "state")).toEqual({ places: [], definition: false });
  });

  it("is found when its entry completes another, which has the name", () => {
    const extern = die(dw.DW_TAG_variable, [
      [dw.DW_AT_name, "jiffies"],
      [dw.DW_AT_declaration, true],
    ]);
    const data = die(dw.DW_TAG_variable, [
      [dw.DW_AT_specification, extern],
      [dw.DW_AT_location, [3, 0]],
    ]);
    const elsewhere = () =>
      unit(
        die(dw.DW_TAG_variable, [
          [dw.DW_AT_name, "jiffies"],
          [dw.DW_AT_declaration, true],
        ]),
      );
    const sections = buildDwarf([elsewhere(), elsewhere(), unit(extern, data)]);
    expect(search(sections).find("variable", "jiffies")).toMatchObject({ places: [{ die: sections.offsetOf(data) }], definition: true });
    const only = buildDwarf([elsewhere(), elsewhere(), unit(padding(10_000))]);
    expect(search(only).find("variable", "jiffies")).toMatchObject({ places: [{ unit: 0 }], definition: false });
  });

  it("is found where it stands in the entry itself", () => {
    const u8 = die(dw.DW_TAG_typedef, [
      [dw.DW_AT_decl_line, 300, dw.DW_FORM_udata],
      [dw.DW_AT_name, "u8", dw.DW_FORM_string],
    ]);
    const sections = buildDwarf([unit(die(dw.DW_TAG_typedef, [[dw.DW_AT_name, "u16", dw.DW_FORM_string]]), u8)]);
    expect(
      search(sections)
        .find("typedef", "u8")
        ?.places.map(({ die }) => die),
    ).toEqual([sections.offsetOf(u8)]);
  });

  it("is not searched for in files with names by index", () => {
    const plain = buildDwarf([unit(struct("a"))]);
    const indexed = buildDwarf([
      {
        root: die(
          dw.DW_TAG_compile_unit,
          [[dw.DW_AT_str_offsets_base, base]],
          die(dw.DW_TAG_typedef, [[dw.DW_AT_name, "a", dw.DW_FORM_strx]]),
        ),
      },
    ]);
    expect([plain, indexed].map((sections) => RawSearch.canSearch(sections))).toEqual([true, false]);
  });

  it("gives up where the index is quicker: many units mention it", () => {
    const sections = buildDwarf(
      Array.from({ length: 40 }, () => unit(die(dw.DW_TAG_subprogram, [[dw.DW_AT_name, "everywhere"]]), padding(100))),
    );
    expect(search(sections, 2000).find("function", "everywhere")).toBeUndefined();
    expect(search(sections).find("function", "everywhere")).toMatchObject({ places: [{ unit: 0 }], definition: false });
  });
});
