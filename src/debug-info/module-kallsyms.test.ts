import { describe, expect, it } from "vitest";
import { add, type VirtualAddress, virtual } from "../bytes/address.ts";
import { FaultError, FormatError, InquestError } from "../bytes/errors.ts";
import { ByteWriter } from "../bytes/testing/byte-writer.ts";
import { Random } from "../bytes/testing/random.ts";
import { ModuleKallsyms, type ModuleKallsymsLocation } from "./module-kallsyms.ts";
import { BytesReader } from "./testing/bytes-reader.ts";

const START = virtual(0xffffffffc0400000n);
const TEXT = 0xffffffffc0300000n;

/** Offset of the names. */
const NAMES = 4096;

type Row = readonly [name: string, value: bigint, size: number, letter: string, section: number];

const rows: Row[] = [
  ["", 0n, 0, "?", 0],
  ["loop_exit", TEXT + 0x200n, 32, "t", 2],
  ["$x", TEXT + 0x100n, 0, "t", 2],
  ["loop_init", TEXT + 0x100n, 0x40, "t", 2],
  ["init_module", TEXT + 0x100n, 0x40, "T", 2],
  ["_printk", 0n, 0, "U", 0],
  // lockdep's key, empty: it lies where the lock lies.
  ["__key.1", TEXT + 0x10000n, 0, "d", 5],
  ["loop_lock", TEXT + 0x10000n, 8, "d", 5],
  ["", TEXT + 0x300n, 8, "t", 2],
];

/** Where the type letter lies: its own table (5.2), st_size (5.0, 5.1) or st_info (before). */
type Letters = "typetab" | "st_size" | "st_info";

function build(letters: Letters): { image: Uint8Array; location: ModuleKallsymsLocation } {
  const out = new ByteWriter();
  const strings = new ByteWriter();
  strings.append(new Uint8Array(1));
  rows.forEach(([name, value, size, letter, section], i) => {
    const at = i * 24;
    out.u32(at, name === "" ? 0 : strings.append(Uint8Array.from(`${name}\0`, (one) => one.charCodeAt(0))));
    out.u16(at + 4, letters === "st_info" ? letter.charCodeAt(0) : 0x12).u16(at + 6, section);
    out.u64(at + 8, value).u64(at + 16, letters === "st_size" ? letter.charCodeAt(0) : size);
  });
  // Memory comes in pages: the names have one of their own.
  const strtab = out.padTo(NAMES).append(strings.finish());
  const typetab = out.padTo(2 * NAMES).append(Uint8Array.from(rows, ([, , , letter]) => letter.charCodeAt(0)));
  out.padTo(3 * NAMES);
  const at = (offset: number): VirtualAddress => add(START, offset);
  return {
    image: out.finish(),
    location: {
      module: "loop",
      symtab: START,
      count: rows.length,
      strtab: at(strtab),
      typetab: letters === "typetab" ? at(typetab) : undefined,
      regions: [
        { start: virtual(TEXT), size: 0x1000 },
        { start: virtual(TEXT + 0x10000n), size: 0x1000 },
      ],
    },
  };
}

describe.each(["typetab", "st_size", "st_info"] as const)("symbols of a module with letters in %s", (letters) => {
  const { image, location } = build(letters);
  const table = ModuleKallsyms.open(new BytesReader(image, START), location);

  it("are defined, named and sorted", () => {
    const found = Array.from({ length: table.count }, (_, i) => table.at(i));
    expect(found.map(({ name, type }) => `${type} ${name}`)).toEqual([
      "t $x",
      "t loop_init",
      "T init_module",
      "t loop_exit",
      "d __key.1",
      "d loop_lock",
    ]);
    expect(found.every(({ module }) => module === "loop")).toBe(true);
  });

  it("are found by name and by address", () => {
    expect(table.byName("loop_exit")).toMatchObject({ address: TEXT + 0x200n, size: letters === "st_size" ? 0xfe00 : 32 });
    expect(table.byName("_printk")).toBeUndefined();
    expect(table.byAddress(virtual(TEXT + 0x110n))).toMatchObject({ offset: 0x10, symbol: { name: "loop_init" } });
    expect(table.prefix("loop_", 9)).toEqual(["loop_exit", "loop_init", "loop_lock"]);
  });

  it("end with the module's memory", () => {
    expect(table.byAddress(virtual(TEXT + 0xfffn))?.symbol.name).toBe("loop_exit");
    expect(table.byAddress(virtual(TEXT + 0x1000n))).toBeUndefined();
    expect(table.byAddress(virtual(TEXT + 0x50n))).toBeUndefined();
    expect(table.byAddress(virtual(TEXT + 0x10ff8n))?.symbol.name).toBe("loop_lock");
  });
});

describe("damaged symbols of a module", () => {
  it("are an error when they cannot be read", () => {
    const { image, location } = build("typetab");
    expect(() => ModuleKallsyms.open(new BytesReader(image, START, [[0, 8]]), location)).toThrow(FaultError);
    expect(() => ModuleKallsyms.open(new BytesReader(image, START), { ...location, count: 1e9 })).toThrow(FormatError);
  });

  it("have no names when only these are gone", () => {
    const { image, location } = build("typetab");
    const table = ModuleKallsyms.open(new BytesReader(image, START, [[NAMES, 2 * NAMES]]), location);
    expect(table.at(1)).toMatchObject({ name: "", type: "t", address: TEXT + 0x100n });
  });

  it("give right answers or one of our errors", () => {
    const { image, location } = build("typetab");
    for (let seed = 0; seed < 200; seed++) {
      const random = new Random(seed);
      const bytes = image.slice();
      for (let i = 0; i < 6; i++) bytes[random.below(300) + (i % 2) * NAMES] = random.below(256);
      try {
        const table = ModuleKallsyms.open(new BytesReader(bytes, START), location);
        for (let i = 0; i < table.count; i++) table.at(i);
        table.byAddress(virtual(TEXT + 0x110n));
        table.byName("loop_init");
      } catch (error) {
        if (!(error instanceof InquestError)) throw new Error(`seed ${seed}`, { cause: error });
      }
    }
  });
});
