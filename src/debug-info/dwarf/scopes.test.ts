import { describe, expect, it, test } from "vitest";
import { declare } from "../c-format-type.ts";
import type { Scope } from "../debug-info.ts";
import * as dw from "./constants.ts";
import { DwarfScopes } from "./scopes.ts";
import { SourcePlaces } from "./scopes-places.ts";
import { buildDwarf } from "./testing/build-dwarf.ts";
import { rangeList } from "./testing/build-lists.ts";
import { die, type TestAttribute, type TestDie } from "./testing/test-entries.ts";
import { DwarfTypes } from "./types.ts";
import { openUnits } from "./units.ts";

const int = die(dw.DW_TAG_base_type, [
  [dw.DW_AT_name, "int"],
  [dw.DW_AT_byte_size, 4],
  [dw.DW_AT_encoding, dw.DW_ATE_signed],
]);
const named = (name: string): TestAttribute => [dw.DW_AT_name, name];
const code = (low: bigint, high: bigint): TestAttribute[] => [
  [dw.DW_AT_low_pc, low],
  [dw.DW_AT_high_pc, Number(high - low), dw.DW_FORM_data4],
];
const origin = (of: TestDie): TestAttribute => [dw.DW_AT_abstract_origin, of];
const REGISTER: TestAttribute = [dw.DW_AT_location, [dw.DW_OP_reg0]];
const parameter = (...attributes: TestAttribute[]) => die(dw.DW_TAG_formal_parameter, attributes);
const variable = (...attributes: TestAttribute[]) => die(dw.DW_TAG_variable, attributes);
const declared = (name: string, line: number): TestAttribute[] => [
  named(name),
  [dw.DW_AT_type, int],
  [dw.DW_AT_decl_file, 1],
  [dw.DW_AT_decl_line, line],
  [dw.DW_AT_decl_column, 7],
];

const EM_X86_64 = 62;
const EM_AARCH64 = 183;

function open(...entries: TestDie[]) {
  return openFor(EM_X86_64, ...entries);
}

function openFor(machine: number, ...entries: TestDie[]) {
  const root = die(dw.DW_TAG_compile_unit, [named("a.c"), ...code(0x1000n, 0x9000n)], int, ...entries);
  const file = buildDwarf([{ root, siblings: true }]);
  const units = openUnits(file);
  const files = ["a.c", "inline.h"];
  const scopes = new DwarfScopes({ types: new DwarfTypes(), places: new SourcePlaces((_unit, index) => files[index - 1]) }, machine);
  const unit = units.containing(0);
  if (unit === undefined) throw new Error("no unit");
  return {
    scopes,
    unit,
    at: (address: bigint) => scopes.at(unit, address),
    dieOf: (entry: TestDie) => units.die(file.offsetOf(entry)),
  };
}

const told = (scopes: readonly Scope[]) =>
  scopes.map(({ kind, name, variables }) => [kind, name, variables.map((each) => `${each.kind} ${declare(each.type, each.name)}`)]);
/** Names of variables; with * those that have a location. */
const located = (scope: Scope | undefined) => scope?.variables.map(({ name, die }) => (die.has(dw.DW_AT_location) ? `${name}*` : name));

describe("functions by address", () => {
  const hot = die(dw.DW_TAG_subprogram, [
    named("hot"),
    [dw.DW_AT_ranges, rangeList(["start_end", 0x1000n, 0x1100n], ["start_end", 0x8000n, 0x8010n])],
  ]);
  const next = die(dw.DW_TAG_subprogram, [named("next"), ...code(0x1100n, 0x1200n)], variable(...declared("x", 1)));
  const abstract = die(dw.DW_TAG_subprogram, [named("abstract"), [dw.DW_AT_inline, 1]]);
  const rust = die(dw.DW_TAG_namespace, [named("core")], die(dw.DW_TAG_subprogram, [named("rust"), ...code(0x2000n, 0x2100n)]));
  const { at } = open(next, die(dw.DW_TAG_variable, [named("between")]), hot, abstract, rust);
  test.each([
    [0x1000n, "hot"],
    [0x10ffn, "hot"],
    [0x1100n, "next"],
    [0x11ffn, "next"],
    [0x1200n, undefined],
    [0x8000n, "hot"],
    [0x800fn, "hot"],
    [0x8010n, undefined],
    [0xfffn, undefined],
    [0x2050n, "rust"],
  ])("%s is in %s", (address, name) => {
    expect(at(address).map((scope) => scope.name)).toEqual(name === undefined ? [] : [name]);
  });

  it("begin before their entry says on arm64, where ftrace patches them", () => {
    const traced = die(dw.DW_TAG_subprogram, [named("traced"), ...code(0x1208n, 0x1300n)]);
    const arm64 = openFor(EM_AARCH64, next, traced);
    expect([0x11ffn, 0x1200n, 0x1207n, 0x1208n, 0x1300n].map((address) => arm64.at(address)[0]?.name)).toEqual([
      "next",
      "traced",
      "traced",
      "traced",
      undefined,
    ]);
    expect(arm64.at(0x10e0n)).toEqual([]);
    expect(open(next, traced).at(0x1207n)).toEqual([]);
  });

  it("are entered in their first range", () => {
    expect(at(0x8000n)[0]).toMatchObject({ entry: 0x1000n, call: undefined, callSites: [] });
    expect(at(0x8000n)[0]?.ranges).toHaveLength(2);
  });
});

describe("scopes within a function", () => {
  const inner = die(dw.DW_TAG_subprogram, [...declared("inner", 20), [dw.DW_AT_inline, 3]], parameter(...declared("p", 20)));
  const second = die(dw.DW_TAG_inlined_subroutine, [
    origin(inner),
    ...code(0x1040n, 0x1050n),
    [dw.DW_AT_entry_pc, 4, dw.DW_FORM_data1],
    [dw.DW_AT_call_file, 2],
    [dw.DW_AT_call_line, 33],
    [dw.DW_AT_call_column, 5],
  ]);
  const block = die(dw.DW_TAG_lexical_block, code(0x1030n, 0x1060n), variable(...declared("i", 12), REGISTER), second);
  const beside = die(dw.DW_TAG_lexical_block, code(0x1010n, 0x1020n), variable(...declared("j", 14), REGISTER));
  const outer = die(
    dw.DW_TAG_subprogram,
    [...declared("outer", 10), ...code(0x1000n, 0x1100n), [dw.DW_AT_prototyped, true]],
    parameter(...declared("a", 10), REGISTER),
    beside,
    variable(...declared("x", 11), REGISTER),
    block,
    variable(named("elsewhere"), [dw.DW_AT_declaration, true]),
  );
  const { at } = open(inner, outer);

  it("are listed from the inside", () => {
    expect(told(at(0x1044n))).toEqual([
      ["inlined", "inner", ["parameter int p"]],
      ["block", undefined, ["local int i"]],
      ["function", "outer", ["parameter int a", "local int x"]],
    ]);
    expect(told(at(0x1010n))).toEqual([
      ["block", undefined, ["local int j"]],
      ["function", "outer", ["parameter int a", "local int x"]],
    ]);
    expect(told(at(0x1000n))).toEqual([["function", "outer", ["parameter int a", "local int x"]]]);
  });

  it("tell where they were called, declared and entered, and their prototypes", () => {
    const [inlined, within, function_] = at(0x1044n);
    expect(inlined?.call).toEqual({ file: "inline.h", line: 33, column: 5 });
    expect(inlined?.declared).toEqual({ file: "a.c", line: 20, column: 7 });
    expect(inlined?.entry).toBe(0x1044n);
    expect(inlined?.type === undefined ? undefined : declare(inlined.type, "inner")).toBe("int inner(int)");
    expect([within?.call, within?.declared, within?.entry, within?.type]).toEqual([undefined, undefined, undefined, undefined]);
    expect([function_?.call, function_?.entry]).toEqual([undefined, 0x1000n]);
    expect(function_?.type === undefined ? undefined : declare(function_.type, "outer")).toBe("int outer(int)");
    expect(function_?.variables[1]?.declared).toEqual({ file: "a.c", line: 11, column: 7 });
  });
});

describe("variables of instances", () => {
  const p = parameter(...declared("p", 1));
  const q = parameter(...declared("q", 1));
  const x = variable(...declared("x", 2));
  const y = variable(...declared("y", 3));
  const deep = variable(...declared("deep", 4));
  const abstract = die(
    dw.DW_TAG_subprogram,
    [...declared("f", 1), [dw.DW_AT_inline, 3]],
    p,
    q,
    x,
    y,
    die(dw.DW_TAG_lexical_block, [], deep),
  );

  it("come in the order of the source; what the optimiser left nothing of is there too", () => {
    const inlined = die(
      dw.DW_TAG_inlined_subroutine,
      [origin(abstract), ...code(0x1010n, 0x1020n)],
      parameter(origin(q), REGISTER),
      variable(origin(deep), REGISTER),
      parameter(origin(p), REGISTER),
      variable(origin(y), REGISTER),
    );
    const { at } = open(abstract, die(dw.DW_TAG_subprogram, [named("caller"), ...code(0x1000n, 0x1100n)], inlined));
    expect(located(at(0x1010n)[0])).toEqual(["p*", "q*", "x", "y*", "deep*"]);
    expect(told(at(0x1010n))[0]).toEqual([
      "inlined",
      "f",
      ["parameter int p", "parameter int q", "local int x", "local int y", "local int deep"],
    ]);
  });

  it("of the function's own body may lie in a block: there only, where the address is in it", () => {
    const block = die(dw.DW_TAG_lexical_block, code(0x1014n, 0x1018n), variable(origin(x), REGISTER));
    const inlined = die(dw.DW_TAG_inlined_subroutine, [origin(abstract), ...code(0x1010n, 0x1020n)], parameter(origin(p), REGISTER), block);
    const { at } = open(abstract, die(dw.DW_TAG_subprogram, [named("caller"), ...code(0x1000n, 0x1100n)], inlined));
    expect(at(0x1014n).slice(0, 2).map(located)).toEqual([["x*"], ["p*", "q", "y"]]);
    expect(at(0x1010n).slice(0, 1).map(located)).toEqual([["p*", "q", "x", "y"]]);
  });

  it("of a clone of an out-of-line copy are those of the source", () => {
    const copyOfP = parameter(origin(p));
    const copy = die(dw.DW_TAG_subprogram, [origin(abstract)], copyOfP);
    const clone = die(dw.DW_TAG_subprogram, [origin(copy), ...code(0x1000n, 0x1100n)], parameter(origin(copyOfP), REGISTER));
    const { at, dieOf, scopes } = open(abstract, copy, clone);
    expect(at(0x1000n)[0]?.name).toBe("f");
    expect(located(at(0x1000n)[0])).toEqual(["p*", "q", "x", "y"]);
    expect(scopes.instancesOf(dieOf(abstract)).map(({ offset }) => offset)).toEqual([dieOf(clone).offset]);
  });

  it("without a name are left out", () => {
    const function_ = die(
      dw.DW_TAG_subprogram,
      [named("f"), ...code(0x1000n, 0x1100n)],
      parameter([dw.DW_AT_type, int]),
      variable(named("x")),
    );
    expect(located(open(function_).at(0x1000n)[0])).toEqual(["x"]);
  });
});

describe("damage", () => {
  it("an entry that is its own origin has no name", () => {
    const ring: { tag: number; attributes: TestAttribute[]; children: TestDie[] } = {
      tag: dw.DW_TAG_subprogram,
      attributes: code(0x1000n, 0x1100n),
      children: [],
    };
    ring.attributes.push(origin(ring));
    const [scope] = open(ring).at(0x1000n);
    expect([scope?.name, scope?.declared, scope?.variables]).toEqual([undefined, undefined, []]);
  });

  it("blocks within each other end", () => {
    let block = die(dw.DW_TAG_lexical_block, code(0x1000n, 0x1100n));
    for (let i = 0; i < 2000; i++) block = die(dw.DW_TAG_lexical_block, code(0x1000n, 0x1100n), block);
    const { at } = open(die(dw.DW_TAG_subprogram, [named("f"), ...code(0x1000n, 0x1100n)], block));
    expect(at(0x1000n).length).toBeLessThan(600);
    expect(at(0x1000n)[0]?.callSites).toEqual([]);
  });
});
