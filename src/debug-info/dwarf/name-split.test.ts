import { describe, expect, it } from "vitest";
import * as dw from "./constants.ts";
import { DieNames } from "./names.ts";
import { buildDwarf } from "./testing/build-dwarf.ts";
import { naiveNames } from "./testing/naive-names.ts";
import { base, die, type TestAttribute } from "./testing/test-entries.ts";
import { openUnits } from "./units.ts";

const ID = 0x1234n;

/** A whole unit and a skeleton, and the skeleton's split file. */
function build(version: 4 | 5) {
  const v5 = version === 5;
  const strx = v5 ? dw.DW_FORM_strx1 : dw.DW_FORM_GNU_str_index;
  const addrx = v5 ? dw.DW_FORM_addrx : dw.DW_FORM_GNU_addr_index;
  const id: TestAttribute[] = v5 ? [] : [[dw.DW_AT_GNU_dwo_id, ID, dw.DW_FORM_data8]];
  const skeleton: TestAttribute[] = [
    [v5 ? dw.DW_AT_dwo_name : dw.DW_AT_GNU_dwo_name, "x.dwo"],
    ...id,
    [dw.DW_AT_high_pc, 0x1000n, addrx],
    [v5 ? dw.DW_AT_addr_base : dw.DW_AT_GNU_addr_base, base],
  ];
  const main = buildDwarf([
    { version, root: die(dw.DW_TAG_compile_unit, [], die(dw.DW_TAG_base_type, [[dw.DW_AT_name, "int"]])) },
    v5
      ? { version, id: ID, type: dw.DW_UT_skeleton, root: die(dw.DW_TAG_skeleton_unit, skeleton) }
      : { version, root: die(dw.DW_TAG_compile_unit, skeleton) },
  ]);
  const named = (tag: number, name: string, attributes: TestAttribute[], ...children: ReturnType<typeof die>[]) =>
    die(tag, [[dw.DW_AT_name, name, strx], ...attributes], ...children);
  const code = named(dw.DW_TAG_subprogram, "start", [
    [dw.DW_AT_low_pc, 0, addrx],
    [dw.DW_AT_high_pc, 32],
  ]);
  const split = buildDwarf(
    [
      {
        version,
        ...(v5 ? { id: ID, type: dw.DW_UT_split_compile } : {}),
        root: die(
          dw.DW_TAG_compile_unit,
          id,
          named(dw.DW_TAG_structure_type, "node", [[dw.DW_AT_byte_size, 8]], named(dw.DW_TAG_member, "next", [])),
          named(dw.DW_TAG_structure_type, "node", [[dw.DW_AT_byte_size, 8]], named(dw.DW_TAG_member, "next", [])),
          named(dw.DW_TAG_structure_type, "node", [[dw.DW_AT_declaration, true]]),
          die(dw.DW_TAG_enumeration_type, [[dw.DW_AT_byte_size, 4]], named(dw.DW_TAG_enumerator, "RED", [[dw.DW_AT_const_value, 1]])),
          named(dw.DW_TAG_typedef, "node_t", [[dw.DW_AT_decl_line, 7]]),
          named(dw.DW_TAG_variable, "here", [[dw.DW_AT_location, [0x9c]]]),
          named(dw.DW_TAG_variable, "elsewhere", [[dw.DW_AT_declaration, true]]),
          named(dw.DW_TAG_namespace, "inner", [], named(dw.DW_TAG_union_type, "both", [])),
          code,
        ),
      },
    ],
    { split: true },
  );
  return { main, split, code };
}

describe.each([4, 5] as const)("names of split units of version %i", (version) => {
  it("are those of the split file, found through the skeleton", () => {
    const { main, split, code } = build(version);
    main.splits.set(ID, split);
    const names = new DieNames(main);
    const naive = naiveNames(openUnits(main));
    expect(naive.entries.size).toBe(8);
    for (const [key, places] of naive.entries) {
      const [kind, name] = key.split(" ") as ["struct", string];
      expect([key, ...names.places(kind, name)]).toEqual([key, ...places]);
    }
    expect(names.names("struct", "", 9)).toEqual(["node"]);
    const [, skeleton] = [...openUnits(main).every()];
    expect(names.functionAt(0x101fn)).toEqual({ unit: skeleton?.offset, die: split.offsetOf(code) });
    expect(names.functionAt(0x1020n)).toBeUndefined();
    expect(names.complete).toBe(true);
  });

  it("are told to be missing where the split file is", () => {
    const names = new DieNames(build(version).main);
    expect([...names.places("struct", "node")]).toEqual([]);
    expect([...names.places("base", "int")]).toHaveLength(1);
    expect(names.complete).toBe(false);
  });
});
