import { expect, it } from "vitest";
import { callSitesOf } from "./call-sites.ts";
import * as dw from "./constants.ts";
import { buildDwarf } from "./testing/build-dwarf.ts";
import { die, type TestAttribute, type TestDie } from "./testing/test-entries.ts";
import { openUnits } from "./units.ts";

const RDI = [dw.DW_OP_reg0 + 5];
const VALUE = [dw.DW_OP_breg0 + 3, 0];
const named = (name: string): TestAttribute => [dw.DW_AT_name, name];
const callee = die(dw.DW_TAG_subprogram, [named("callee"), [dw.DW_AT_declaration, true]]);
const inlined = die(dw.DW_TAG_subprogram, [named("inlined")]);

function sites(version: 4 | 5, ...children: TestDie[]) {
  const function_ = die(dw.DW_TAG_subprogram, [named("f")], ...children);
  const file = buildDwarf([{ root: die(dw.DW_TAG_compile_unit, [named("a.c")], callee, inlined, function_), version }]);
  return callSitesOf(openUnits(file).die(file.offsetOf(function_))).map(({ returnAddress, tail, target, parameters }) => ({
    at: returnAddress,
    tail,
    target,
    parameters: parameters.map(({ location, value }) => [[...location], [...value]]),
  }));
}

it("reads version 5's, those of inlined parts and blocks too, sorted by return address", () => {
  const site = (pc: bigint, ...more: TestAttribute[]) => die(dw.DW_TAG_call_site, [[dw.DW_AT_call_return_pc, pc], ...more]);
  const passing = die(
    dw.DW_TAG_call_site,
    [
      [dw.DW_AT_call_return_pc, 0x1030n],
      [dw.DW_AT_call_origin, callee],
    ],
    die(dw.DW_TAG_call_site_parameter, [
      [dw.DW_AT_location, RDI],
      [dw.DW_AT_call_value, VALUE],
    ]),
    die(dw.DW_TAG_call_site_parameter, [
      [dw.DW_AT_call_parameter, inlined],
      [dw.DW_AT_call_value, VALUE],
    ]),
    die(dw.DW_TAG_call_site_parameter, [[dw.DW_AT_location, RDI]]),
  );
  const within = die(dw.DW_TAG_inlined_subroutine, [[dw.DW_AT_abstract_origin, inlined]], die(dw.DW_TAG_lexical_block, [], site(0x1010n)));
  const tail = site(0x1020n, [dw.DW_AT_call_tail_call, true], [dw.DW_AT_call_origin, callee]);
  expect(sites(5, passing, tail, within)).toEqual([
    { at: 0x1010n, tail: false, target: undefined, parameters: [] },
    { at: 0x1020n, tail: true, target: "callee", parameters: [] },
    {
      at: 0x1030n,
      tail: false,
      target: "callee",
      parameters: [
        [RDI, VALUE],
        [[], VALUE],
      ],
    },
  ]);
});

it("reads GCC's of version 4", () => {
  const site = die(
    dw.DW_TAG_GNU_call_site,
    [
      [dw.DW_AT_low_pc, 0x1010n],
      [dw.DW_AT_abstract_origin, callee],
      [dw.DW_AT_GNU_tail_call, true],
    ],
    die(dw.DW_TAG_GNU_call_site_parameter, [
      [dw.DW_AT_location, RDI],
      [dw.DW_AT_GNU_call_site_value, VALUE],
    ]),
  );
  expect(sites(4, site)).toEqual([{ at: 0x1010n, tail: true, target: "callee", parameters: [[RDI, VALUE]] }]);
});

it("leaves out calls without return address", () => {
  expect(sites(5, die(dw.DW_TAG_call_site, [[dw.DW_AT_call_pc, 0x1010n]]))).toEqual([]);
});
