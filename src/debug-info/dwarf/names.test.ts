/** The index of names against the general reader of entries, on composed units of every version and form. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import * as dw from "./constants.ts";
import { buildIndex } from "./name-build.ts";
import { type EntryPlace, NameIndex, type NameKind } from "./name-index.ts";
import { readUnitTable } from "./name-units.ts";
import { DieNames } from "./names.ts";
import { RawSearch } from "./raw-search.ts";
import { type BuiltDwarf, buildDwarf } from "./testing/build-dwarf.ts";
import { rangeList } from "./testing/build-lists.ts";
import { MemorySections } from "./testing/memory-sections.ts";
import { naiveNames } from "./testing/naive-names.ts";
import { base, die, type TestAttribute, type TestDie, type TestUnit } from "./testing/test-entries.ts";
import { openUnits } from "./units.ts";

const KINDS = ["struct", "union", "enum", "typedef", "base", "function", "variable", "constant"] as const;

function unit(version: 2 | 3 | 4 | 5, children: TestDie[], more: Partial<TestUnit> = {}, attributes: TestAttribute[] = []): TestUnit {
  return { version, root: die(dw.DW_TAG_compile_unit, [[dw.DW_AT_name, "a.c"], ...attributes], ...children), ...more };
}

function struct(name: string, line: number, members: string[], more: TestAttribute[] = []): TestDie {
  return die(
    dw.DW_TAG_structure_type,
    [[dw.DW_AT_name, name], [dw.DW_AT_byte_size, 8 * members.length], [dw.DW_AT_decl_line, line], ...more],
    ...members.map((member) => die(dw.DW_TAG_member, [[dw.DW_AT_name, member]])),
  );
}

/** Everything the index knows, held against what the general reader finds. */
function check(sections: BuiltDwarf): void {
  const names = new DieNames(sections);
  const naive = naiveNames(openUnits(sections));
  const own = new Map<string, readonly EntryPlace[]>();
  for (const kind of KINDS) {
    // Tags that are only declared are found and not listed.
    const there = [...naive.entries.keys()].flatMap((key) => (key.startsWith(`${kind} `) ? [key.slice(kind.length + 1)] : []));
    const listed = kind === "constant" ? [] : names.names(kind, "", 1e6);
    for (const name of new Set([...there, ...listed])) own.set(`${kind} ${name}`, [...names.places(kind, name)]);
  }
  expect(Object.fromEntries(own)).toEqual(Object.fromEntries(naive.entries));
  for (const [low, dies] of naive.functions) expect(dies).toContain(names.functionAt(low)?.die);
  expect(names.complete).toBe(true);
}

describe("names", () => {
  it("folds copies of one definition and keeps different ones of one name apart", () => {
    const declared = die(dw.DW_TAG_structure_type, [
      [dw.DW_AT_name, "list_head"],
      [dw.DW_AT_declaration, true],
    ]);
    const first = struct("list_head", 10, ["next", "prev"]);
    const other = struct("list_head", 10, ["first"]);
    const sections = buildDwarf([unit(5, [declared, first]), unit(5, [struct("list_head", 10, ["next", "prev"]), other])]);
    const [, second] = [...openUnits(sections).every()];
    expect([...new DieNames(sections).places("struct", "list_head")]).toEqual([
      { unit: 0, die: sections.offsetOf(first) },
      { unit: second?.offset, die: sections.offsetOf(other) },
      { unit: 0, die: sections.offsetOf(declared) },
    ]);
    check(sections);
  });

  it("finds an enum constant through its enumeration, also of an anonymous one", () => {
    const red = die(
      dw.DW_TAG_enumeration_type,
      [[dw.DW_AT_byte_size, 4]],
      die(dw.DW_TAG_enumerator, [
        [dw.DW_AT_name, "RED"],
        [dw.DW_AT_const_value, 0],
      ]),
    );
    const color = () =>
      die(
        dw.DW_TAG_enumeration_type,
        [
          [dw.DW_AT_name, "color"],
          [dw.DW_AT_byte_size, 4],
        ],
        die(dw.DW_TAG_enumerator, [
          [dw.DW_AT_name, "BLUE"],
          [dw.DW_AT_const_value, -1],
        ]),
      );
    const sections = buildDwarf([unit(5, [red, color()], { siblings: true }), unit(5, [color()], { siblings: true })]);
    const names = new DieNames(sections);
    expect([...names.places("constant", "RED")].map((place) => place.die)).toEqual([sections.offsetOf(red)]);
    expect([...names.places("constant", "BLUE")]).toHaveLength(1);
    expect([...names.places("constant", "GREEN")]).toEqual([]);
    check(sections);
  });

  it("tells nameless enumerations of several files apart that begin on one line with one constant", () => {
    const clocks = (...constants: string[]) =>
      die(
        dw.DW_TAG_enumeration_type,
        [
          [dw.DW_AT_byte_size, 4],
          [dw.DW_AT_decl_line, 66],
        ],
        ...constants.map((name, value) =>
          die(dw.DW_TAG_enumerator, [
            [dw.DW_AT_name, name],
            [dw.DW_AT_const_value, value],
          ]),
        ),
      );
    for (const siblings of [true, false]) {
      const second = clocks("P_BI_TCXO", "P_GPLL0", "P_GPLL2");
      const sections = buildDwarf([unit(5, [clocks("P_BI_TCXO", "P_SLEEP")], { siblings }), unit(5, [second], { siblings })]);
      expect([...new DieNames(sections).places("constant", "P_GPLL2")].map((place) => place.die)).toEqual([sections.offsetOf(second)]);
      check(sections);
    }
  });

  it("names the code of an inline function, and a variable, by what they complete, in their own unit and in another", () => {
    const abstract = die(dw.DW_TAG_subprogram, [
      [dw.DW_AT_name, "get_page"],
      [dw.DW_AT_inline, 3],
      [dw.DW_AT_decl_line, 5],
    ]);
    const extern = die(dw.DW_TAG_variable, [
      [dw.DW_AT_name, "init_task"],
      [dw.DW_AT_declaration, true],
    ]);
    const code = die(dw.DW_TAG_subprogram, [
      [dw.DW_AT_abstract_origin, abstract],
      [dw.DW_AT_low_pc, 0x1000n],
      [dw.DW_AT_high_pc, 16],
    ]);
    const far = die(dw.DW_TAG_subprogram, [
      [dw.DW_AT_abstract_origin, abstract],
      [dw.DW_AT_low_pc, 0x2000n],
      [dw.DW_AT_high_pc, 0x2010n],
    ]);
    const data = die(dw.DW_TAG_variable, [
      [dw.DW_AT_specification, extern],
      [dw.DW_AT_location, [0x03, 1, 2, 3, 4, 5, 6, 7, 8]],
    ]);
    const sections = buildDwarf([unit(5, [abstract, extern, code, data]), unit(4, [far])]);
    const names = new DieNames(sections);
    expect([...names.places("function", "get_page")].map((place) => place.die)).toEqual(
      [code, far, abstract].map((each) => sections.offsetOf(each)),
    );
    expect([...names.places("variable", "init_task")].map((place) => place.die)).toEqual(
      [data, extern].map((each) => sections.offsetOf(each)),
    );
    expect(names.functionAt(0x100fn)?.die).toBe(sections.offsetOf(code));
    expect(names.functionAt(0x1010n)).toBeUndefined();
    expect(names.functionAt(0x2008n)?.die).toBe(sections.offsetOf(far));
    check(sections);
  });

  it("reads names by index, addresses by index and lists of ranges", () => {
    const bases: TestAttribute[] = [
      [dw.DW_AT_str_offsets_base, base],
      [dw.DW_AT_addr_base, base],
      [dw.DW_AT_rnglists_base, base],
      [dw.DW_AT_low_pc, 0x100n, dw.DW_FORM_addrx],
    ];
    const one = die(dw.DW_TAG_subprogram, [
      [dw.DW_AT_name, "one", dw.DW_FORM_strx1],
      [dw.DW_AT_low_pc, 0x1000n, dw.DW_FORM_addrx1],
      [dw.DW_AT_high_pc, 8, dw.DW_FORM_data4],
    ]);
    const two = die(dw.DW_TAG_subprogram, [
      [dw.DW_AT_name, "two", dw.DW_FORM_strx],
      [
        dw.DW_AT_ranges,
        rangeList(["offset_pair", 0x10, 0x20], ["startx_length", 0x5000n, 4], ["start_end", 0x6000n, 0x6008n]),
        dw.DW_FORM_rnglistx,
      ],
    ]);
    const three = die(dw.DW_TAG_subprogram, [
      [dw.DW_AT_name, "three"],
      [dw.DW_AT_ranges, rangeList(["base_address", 0x8000n], ["offset_pair", 0, 4])],
    ]);
    for (const offsetSize of [4, 8] as const) {
      const sections = buildDwarf([
        unit(5, [], { offsetSize }, bases),
        unit(5, [one, two], { offsetSize }, bases),
        unit(4, [three], { offsetSize }),
      ]);
      const names = new DieNames(sections);
      expect([...names.places("function", "two")]).toHaveLength(1);
      for (const [address, entry] of [
        [0x1007n, one],
        [0x11fn, two],
        [0x5003n, two],
        [0x6007n, two],
        [0x8003n, three],
      ] as const)
        expect(names.functionAt(address)?.die).toBe(sections.offsetOf(entry));
      for (const address of [0x1008n, 0x120n, 0x5004n, 0x8004n]) expect(names.functionAt(address)).toBeUndefined();
      check(sections);
    }
  });

  it("walks into namespaces, and over children that no DW_AT_sibling jumps", () => {
    const inner = struct("inner", 3, ["x"]);
    const local = struct("local", 4, ["y"]);
    const sections = buildDwarf([
      unit(5, [
        die(dw.DW_TAG_subprogram, [[dw.DW_AT_name, "f"]], die(dw.DW_TAG_lexical_block, [], local)),
        die(dw.DW_TAG_namespace, [[dw.DW_AT_name, "core"]], die(dw.DW_TAG_namespace, [[dw.DW_AT_name, "option"]], inner)),
        die(dw.DW_TAG_pointer_type, [], die(dw.DW_TAG_member, [[dw.DW_AT_name, "nothing"]])),
        struct("last", 5, ["z"]),
      ]),
    ]);
    expect(new DieNames(sections).names("struct", "", 10)).toEqual(["inner", "last"]);
    check(sections);
  });

  it("lists names by prefix, sorted, and definitions in file order", () => {
    const sections = buildDwarf([
      unit(5, [
        struct("tcp_sock", 1, ["a"]),
        struct("task_struct", 2, ["b"]),
        struct("tcp_info", 3, ["c"]),
        die(dw.DW_TAG_union_type, [[dw.DW_AT_name, "tcp_word"]]),
      ]),
    ]);
    const names = new DieNames(sections);
    expect(names.names("struct", "tcp_", 10)).toEqual(["tcp_info", "tcp_sock"]);
    expect(names.names("struct", "t", 2)).toEqual(["task_struct", "tcp_info"]);
    expect(names.names("union", "tcp", 2)).toEqual(["tcp_word"]);
    expect([...names.structPlaces()]).toHaveLength(4);
  });

  it("finds nothing in a file without debug information", () => {
    const names = new DieNames(new MemorySections({}));
    expect([...names.places("struct", "task_struct")]).toEqual([]);
    expect(names.names("struct", "", 5)).toEqual([]);
    expect(names.functionAt(1n)).toBeUndefined();
    expect(names.complete).toBe(true);
  });

  it("says that names are missing where a unit is damaged, and gives those of the others", () => {
    const sections = buildDwarf([unit(5, [struct("a", 1, ["x"]), struct("b", 1, ["x"])]), unit(5, [struct("c", 1, ["x"])])]);
    const info = sections.contents.get(".debug_info")?.slice() ?? new Uint8Array();
    const b = [...new DieNames(sections).places("struct", "b")][0]?.die ?? 0;
    info[b] = 0x70;
    sections.contents.set(".debug_info", info);
    const names = new DieNames(sections);
    expect(names.names("struct", "", 5)).toEqual(["a", "c"]);
    expect(names.complete).toBe(false);
  });
});

const FORMS = [dw.DW_FORM_strp, dw.DW_FORM_string, dw.DW_FORM_line_strp] as const;
const name = fc.constantFrom("a", "be", "see", "list", "list_head", "ast", "head", "x".repeat(200));
const attribute: fc.Arbitrary<TestAttribute> = fc.oneof(
  fc.tuple(fc.constant(dw.DW_AT_byte_size), fc.nat(70_000)),
  fc.tuple(
    fc.constant(dw.DW_AT_decl_line),
    fc.constantFrom(1, 2, 200),
    fc.constantFrom(dw.DW_FORM_data1, dw.DW_FORM_data2, dw.DW_FORM_implicit_const),
  ),
  fc.tuple(fc.constant(dw.DW_AT_decl_column), fc.constantFrom(1, 2), fc.constantFrom(dw.DW_FORM_data1, dw.DW_FORM_udata)),
  fc.tuple(fc.constant(dw.DW_AT_declaration), fc.constant(true)),
  fc.tuple(fc.constant(dw.DW_AT_location), fc.constant([0x9c])),
  fc.tuple(fc.constant(dw.DW_AT_const_value), fc.nat(300), fc.constantFrom(dw.DW_FORM_data2, dw.DW_FORM_sdata)),
  fc.tuple(fc.constant(dw.DW_AT_encoding), fc.constantFrom(5, 7), fc.constant(dw.DW_FORM_data1)),
  fc.tuple(fc.constant(dw.DW_AT_low_pc), fc.bigInt(1n, 0xffff_ffff_ffff_0000n)),
  fc.tuple(fc.constant(dw.DW_AT_high_pc), fc.constantFrom(16, 4000), fc.constantFrom(dw.DW_FORM_data1, dw.DW_FORM_data8, dw.DW_FORM_udata)),
  fc.tuple(fc.constant(dw.DW_AT_producer), fc.constant("gcc"), fc.constantFrom(...FORMS)),
  fc.tuple(
    fc.constant(dw.DW_AT_call_value),
    fc.constant([1, 2, 3]),
    fc.constantFrom(dw.DW_FORM_block1, dw.DW_FORM_block2, dw.DW_FORM_block4, dw.DW_FORM_block),
  ),
  fc.tuple(fc.constant(dw.DW_AT_upper_bound), fc.nat(1000), fc.constantFrom(dw.DW_FORM_data4, dw.DW_FORM_indirect)),
);
const TAGS = [
  dw.DW_TAG_structure_type,
  dw.DW_TAG_union_type,
  dw.DW_TAG_enumeration_type,
  dw.DW_TAG_typedef,
  dw.DW_TAG_base_type,
  dw.DW_TAG_subprogram,
  dw.DW_TAG_variable,
  dw.DW_TAG_namespace,
  dw.DW_TAG_pointer_type,
  dw.DW_TAG_lexical_block,
  dw.DW_TAG_member,
  dw.DW_TAG_enumerator,
];
/** An entry with `depth` levels below it at most. */
function entryOf(depth: number): fc.Arbitrary<TestDie> {
  return fc
    .record({
      tag: fc.constantFrom(...TAGS),
      name: fc.option(fc.tuple(name, fc.constantFrom(...FORMS))),
      attributes: fc.uniqueArray(attribute, { maxLength: 5, selector: ([number]) => number }),
      children: depth === 0 ? fc.constant<TestDie[]>([]) : fc.array(entryOf(depth - 1), { maxLength: 3 }),
      nameLast: fc.boolean(),
    })
    .map(({ tag, name, attributes, children, nameLast }) => {
      const named: TestAttribute[] = name === null ? [] : [[dw.DW_AT_name, name[0], name[1]]];
      return die(tag, nameLast ? [...attributes, ...named] : [...named, ...attributes], ...children);
    });
}
const entry = entryOf(2);
const units = fc.array(
  fc.record({
    version: fc.constantFrom(2, 3, 4, 5),
    offsetSize: fc.constantFrom(4, 8),
    siblings: fc.boolean(),
    children: fc.array(entry, { maxLength: 8 }),
  }),
  { minLength: 1, maxLength: 4 },
);

describe("the index of any tree of entries", () => {
  it("is what the general reader finds", () => {
    fc.assert(
      fc.property(units, (made) => {
        check(
          buildDwarf(
            made.map(({ version, children, offsetSize, siblings }) =>
              unit(version as 5, children, { offsetSize: offsetSize as 4, siblings }),
            ),
          ),
        );
      }),
      { numRuns: 150 },
    );
  });

  it("agrees with the search without an index", () => {
    fc.assert(
      fc.property(units, (made) => {
        const sections = buildDwarf(
          made.map(({ version, children, offsetSize, siblings }) =>
            unit(version as 5, children, { offsetSize: offsetSize as 4, siblings }),
          ),
        );
        const info = sections.section(".debug_info");
        if (info === undefined) return;
        const index = new NameIndex(buildIndex(sections, readUnitTable(info)).names, sections.section(".debug_str"));
        const search = new RawSearch(sections, info);
        for (const kind of KINDS) {
          for (const each of ["a", "be", "list", "list_head", "ast", "missing"]) {
            const wanted = index.find(kind as NameKind, each);
            const found = search.find(kind as NameKind, each);
            // Names in .debug_line_str are not searched for; no compiler puts any there but files'.
            if (found === undefined || lineString(made)) continue;
            expect(found.places).toEqual(found.definition ? wanted.slice(0, 1) : wanted);
          }
        }
      }),
      { numRuns: 80 },
    );
  });

  it("survives any damage, in time", () => {
    fc.assert(
      fc.property(units, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 6 }), (made, damage) => {
        const sections = buildDwarf(
          made.map(({ version, children, offsetSize, siblings }) =>
            unit(version as 5, children, { offsetSize: offsetSize as 4, siblings }),
          ),
        );
        for (const section of [".debug_info", ".debug_abbrev", ".debug_str"]) {
          const bytes = sections.contents.get(section)?.slice();
          if (bytes === undefined) continue;
          for (const [at, value] of damage) bytes[at % bytes.length] = value;
          sections.contents.set(section, bytes);
        }
        const names = new DieNames(sections);
        for (const kind of KINDS)
          for (const each of ["a", "list_head"]) expect([...names.places(kind, each)].length).toBeGreaterThanOrEqual(0);
        names.functionAt(0x1000n);
      }),
      { numRuns: 200 },
    );
  });
});

function lineString(made: readonly { readonly children: readonly TestDie[] }[]): boolean {
  const has = (entry: TestDie): boolean => entry.attributes.some(([, , form]) => form === dw.DW_FORM_line_strp) || entry.children.some(has);
  return made.some(({ children }) => children.some(has));
}
