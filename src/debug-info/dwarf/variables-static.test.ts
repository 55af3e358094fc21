import { expect, it, test } from "vitest";
import { declare } from "../c-format-type.ts";
import * as dw from "./constants.ts";
import { SourcePlaces } from "./scopes-places.ts";
import { buildDwarf } from "./testing/build-dwarf.ts";
import { die, type TestAttribute, type TestDie } from "./testing/test-entries.ts";
import { DwarfTypes } from "./types.ts";
import { openUnits } from "./units.ts";
import { globalVariable } from "./variables-static.ts";

const named = (name: string): TestAttribute => [dw.DW_AT_name, name];
const int = die(dw.DW_TAG_base_type, [named("int"), [dw.DW_AT_byte_size, 4], [dw.DW_AT_encoding, dw.DW_ATE_signed]]);
const ADDRESS = [0x00, 0x40, 0xa0, 0x82, 0xff, 0xff, 0xff, 0xff];
const at = (...expression: number[]): TestAttribute => [dw.DW_AT_location, expression];
const LOCATED = at(dw.DW_OP_addr, ...ADDRESS);

function globals(entries: readonly TestDie[], wanted: readonly TestDie[] = entries) {
  const holder: TestAttribute = [dw.DW_AT_type, int];
  const addresses = die(dw.DW_TAG_label, [[dw.DW_AT_low_pc, 0x1111n, dw.DW_FORM_addrx]]);
  const later = die(dw.DW_TAG_label, [[dw.DW_AT_low_pc, 0x2222n, dw.DW_FORM_addrx]]);
  const root = die(dw.DW_TAG_compile_unit, [named("a.c"), holder], int, addresses, later, ...entries);
  const file = buildDwarf([{ root }]);
  const units = openUnits(file);
  const by = { types: new DwarfTypes(), places: new SourcePlaces((_unit, index) => `file${index}.c`) };
  return wanted.map((entry) => globalVariable(by, units.die(file.offsetOf(entry))));
}

const variable = (...attributes: TestAttribute[]) => die(dw.DW_TAG_variable, [named("x"), [dw.DW_AT_type, int], ...attributes]);

test.each<readonly [string, readonly number[], bigint | undefined]>([
  ["addr", [dw.DW_OP_addr, ...ADDRESS], 0xffffffff82a04000n],
  ["addr and an offset", [dw.DW_OP_addr, ...ADDRESS, dw.DW_OP_plus_uconst, 0x90, 0x01], 0xffffffff82a04090n],
  ["addrx", [dw.DW_OP_addrx, 1], 0x2222n],
  ["GCC's addr_index, and an offset", [dw.DW_OP_GNU_addr_index, 0, dw.DW_OP_plus_uconst, 1], 0x1112n],
  ["of a thread", [dw.DW_OP_addr, ...ADDRESS, dw.DW_OP_GNU_push_tls_address], undefined],
  ["a register", [dw.DW_OP_reg0], undefined],
  ["cut", [dw.DW_OP_addr, 1, 2], undefined],
  ["a cut index", [dw.DW_OP_addrx, 0x80], undefined],
  ["an offset without end", [dw.DW_OP_addr, ...ADDRESS, dw.DW_OP_plus_uconst, ...new Array(20).fill(0xff)], undefined],
])("the address is %s", (_what, expression, expected) => {
  expect(globals([variable(at(...expression))])[0]?.address).toBe(expected);
});

it("tells name, type, place and whether other files see it", () => {
  const [one] = globals([variable(LOCATED, [dw.DW_AT_external, true], [dw.DW_AT_decl_file, 3], [dw.DW_AT_decl_line, 4])]);
  expect(one).toMatchObject({ name: "x", external: true, declared: { file: "file3.c", line: 4, column: 0 }, scope: undefined });
  expect(declare(one?.type ?? { kind: "void" })).toBe("int");
  expect(globals([variable(LOCATED)])[0]).toMatchObject({ external: false, declared: undefined });
});

it("completes a declaration", () => {
  const declaration = variable([dw.DW_AT_declaration, true], [dw.DW_AT_external, true]);
  const definition = die(dw.DW_TAG_variable, [[dw.DW_AT_specification, declaration], LOCATED]);
  const [first, second] = globals([declaration, definition]);
  expect(first).toBeUndefined();
  expect(second).toMatchObject({ name: "x", external: true, address: 0xffffffff82a04000n, scope: undefined });
});

it("without location has no address: it was optimised out", () => {
  expect(globals([variable([dw.DW_AT_const_value, 5])])[0]).toMatchObject({ name: "x", address: undefined });
});

it("within a function tells which", () => {
  const inner = variable(LOCATED);
  const before = die(dw.DW_TAG_subprogram, [named("before")], variable(LOCATED));
  const abstract = die(dw.DW_TAG_subprogram, [named("f"), [dw.DW_AT_inline, 1]]);
  const concrete = die(dw.DW_TAG_subprogram, [[dw.DW_AT_abstract_origin, abstract]], die(dw.DW_TAG_lexical_block, [], inner));
  const outer = variable(LOCATED);
  expect(globals([before, abstract, concrete, outer], [inner, outer]).map((each) => each?.scope)).toEqual(["f", undefined]);
});

it("is no parameter, and has a name", () => {
  expect(globals([die(dw.DW_TAG_formal_parameter, [named("x"), LOCATED]), die(dw.DW_TAG_variable, [LOCATED])])).toEqual([
    undefined,
    undefined,
  ]);
});
