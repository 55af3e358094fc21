import { describe, expect, it } from "vitest";
import { AddressMap, addressKey, readAranges } from "./aranges.ts";
import * as dw from "./constants.ts";
import { DwarfReader } from "./dwarf-reader.ts";
import { buildDwarf } from "./testing/build-dwarf.ts";
import { rangeList } from "./testing/build-lists.ts";
import { die, type TestUnit } from "./testing/test-entries.ts";
import { openUnits } from "./units.ts";

const TEXT = 0xffffffff81000000n;

describe("AddressMap", () => {
  it("finds the innermost of ranges in any order", () => {
    const map = new AddressMap();
    expect(map.find(5n)).toBeUndefined();
    map.add(100, 200, 1);
    map.add(10, 20, 2);
    map.add(0, 1000, 3);
    map.add(150, 160, 4);
    map.add(50, 50, 5);
    map.add(addressKey(TEXT), addressKey(TEXT + 0x1000n), 6);
    const expected: [bigint, number | undefined][] = [
      [0n, 3],
      [10n, 2],
      [19n, 2],
      [20n, 3],
      [50n, 3],
      [149n, 1],
      [150n, 4],
      [160n, 1],
      [200n, 3],
      [999n, 3],
      [1000n, undefined],
      [TEXT - 1n, undefined],
      [TEXT, 6],
      [TEXT + 0xfffn, 6],
      [TEXT + 0x1000n, undefined],
    ];
    expect(expected.map(([address]) => [address, map.find(address)])).toEqual(expected);
    map.add(30, 40, 7);
    expect(map.find(35n)).toBe(7);
  });
});

function units(aranges: boolean, unit: Partial<TestUnit> = {}) {
  return [
    { low: TEXT, size: 0x100 },
    { low: TEXT + 0x200n, size: 0x80 },
  ].map(({ low, size }, i) => ({
    ...unit,
    root: die(dw.DW_TAG_compile_unit, [
      [dw.DW_AT_name, `${i}.c`],
      [dw.DW_AT_low_pc, low],
      [dw.DW_AT_high_pc, size],
    ]),
    ...(aranges ? { aranges: [[low, size] as const, [0n, 0] as const, [TEXT + BigInt((i + 1) * 0x10000), 4] as const] } : {}),
  }));
}

describe("units by address", () => {
  for (const addressSize of [4, 8] as const)
    for (const offsetSize of [4, 8] as const)
      it(`.debug_aranges with addresses of ${addressSize}, ${8 * offsetSize}-bit`, () => {
        const built = buildDwarf(units(true, { addressSize, offsetSize }));
        const map = new AddressMap();
        const listed = new Set<number>();
        readAranges(new DwarfReader(built.contents.get(".debug_aranges")!, "x"), map, listed);
        const [first, second] = [...openUnits(built).all()].map(({ offset }) => offset);
        expect(listed).toEqual(new Set([first, second]));
        const text = addressSize === 8 ? TEXT : TEXT & 0xffffffffn;
        expect([0n, 0xffn, 0x100n, 0x200n, 0x10000n, 0x20003n, 0x20004n].map((at) => map.find(text + at))).toEqual([
          first,
          first,
          undefined,
          second,
          first,
          second,
          undefined,
        ]);
      });

  it("of units that are listed, and that are not", () => {
    for (const aranges of [true, false]) {
      const found = openUnits(buildDwarf(units(aranges)));
      expect(found.at(TEXT + 0xffn)?.name).toBe("0.c");
      expect(found.at(TEXT + 0x100n)).toBeUndefined();
      expect(found.at(TEXT + 0x200n)?.name).toBe("1.c");
      expect(found.at(TEXT + 0x10000n)?.name).toBe(aranges ? "0.c" : undefined);
    }
    const [listed] = units(true);
    const [, other] = units(false);
    const extra = { root: die(dw.DW_TAG_compile_unit, [[dw.DW_AT_ranges, rangeList(["start_length", TEXT + 0x1000n, 1])]]) };
    const mixed = openUnits(buildDwarf([extra, listed!, other!]));
    expect(mixed.at(TEXT)?.name).toBe("0.c");
    expect(mixed.at(TEXT + 0x200n)?.name).toBe("1.c");
    expect(mixed.at(TEXT + 0x1000n)?.offset).toBe(0);
  });

  it("where the sets are damaged, by the units' own ranges", () => {
    for (const [at, value] of [
      [4, 9],
      [0, 0xfe],
      [10, 3],
      [11, 1],
    ] as const) {
      const built = buildDwarf(units(true));
      const bytes = built.contents.get(".debug_aranges")!.slice();
      bytes[bytes.length / 2 + at] = value;
      built.contents.set(".debug_aranges", bytes);
      const found = openUnits(built);
      expect(found.at(TEXT)?.name).toBe("0.c");
      expect(found.at(TEXT + 0x200n)?.name).toBe("1.c");
      expect(found.problems).toHaveLength(1);
    }
  });
});
