import { describe, expect, it } from "vitest";
import { virtual } from "../bytes/address.ts";
import { InquestError } from "../bytes/errors.ts";
import { Random } from "../bytes/testing/random.ts";
import { Kallsyms } from "./kallsyms.ts";
import { type ScanChunk, scanForKallsyms } from "./kallsyms-scan.ts";
import { type BuiltKallsyms, type BuiltSymbol, buildKallsyms, type KallsymsShape } from "./testing/build-kallsyms.ts";
import { BytesReader } from "./testing/bytes-reader.ts";

const START = 0xffffffff82000000n;
const BIG = `_RNv${"NtCs_very_long_name_of_a_rust_symbol".repeat(9)}`;

function makeSymbols(percpu: boolean): BuiltSymbol[] {
  const symbols: BuiltSymbol[] = [];
  if (percpu) for (let i = 0; i < 50; i++) symbols.push([BigInt(i * 64), "A", i === 0 ? "fixed_percpu_data" : `percpu_${i}`]);
  symbols.push([0xffffffff81000000n, "T", "_text"], [0xffffffff81000000n, "T", "_stext"], [0xffffffff81000000n, "T", "startup_64"]);
  for (let i = 0; i < 6000; i++)
    symbols.push([0xffffffff81000100n + BigInt(i * 48), i % 3 === 0 ? "T" : "t", `function_${i % 5000}_probe`]);
  symbols.push([0xffffffff82800000n, "d", BIG]);
  symbols.push([0xffffffff82800040n, "d", "$d"], [0xffffffff82800040n, "D", "init_task"]);
  symbols.push([0xffffffff82800080n, "T", "__kvm_nvhe_panic"], [0xffffffff82800080n, "T", "panic"]);
  symbols.push([0xffffffff82900000n, "B", "_end"]);
  return symbols;
}

const shapes: Record<string, KallsymsShape> = {
  "4.4": { encoding: "absolute", order: "old", markerSize: 8 },
  "4.18": { encoding: "percpu-absolute", order: "old", markerSize: 8 },
  "5.10": { encoding: "base-relative", order: "old" },
  "6.1": { encoding: "percpu-absolute", order: "old" },
  "6.2": { encoding: "percpu-absolute", order: "old", seqs: true },
  "6.12": { encoding: "percpu-absolute", order: "new", seqs: true },
  "6.16": { encoding: "base-relative", order: "new", seqs: true },
  "7.2": { encoding: "place-relative", order: "new", seqs: true, alignment: 4 },
};

function chunksOf(built: BuiltKallsyms, size: number): ScanChunk[] {
  const chunks: ScanChunk[] = [];
  for (let at = 0; at < built.image.length; at += size) {
    chunks.push({ address: virtual(built.start + BigInt(at)), bytes: built.image.subarray(at, at + size) });
  }
  return chunks;
}

describe.each(Object.entries(shapes))("kallsyms as in Linux %s", (_, shape) => {
  const symbols = makeSymbols(shape.encoding === "percpu-absolute" || shape.encoding === "absolute");
  const built = buildKallsyms(symbols, START, shape);
  const memory = new BytesReader(built.image, built.start);
  const table = Kallsyms.open(memory, built.location);

  it("gives every symbol back", () => {
    expect(table.encoding).toBe(shape.encoding);
    expect(table.count).toBe(symbols.length);
    for (const [i, [address, type, name]] of symbols.entries()) expect(table.at(i)).toMatchObject({ address, type, name });
  });

  it("finds by name, all of a name, and nothing else", () => {
    expect(table.byName("init_task")?.address).toBe(0xffffffff82800040n);
    expect(table.byName(BIG)?.type).toBe("d");
    expect(table.byName("Tinit_task")).toBeUndefined();
    expect(table.byName("")).toBeUndefined();
    expect(table.allByName("function_7_probe")).toHaveLength(2);
  });

  it("is found by the scan", () => {
    expect(scanForKallsyms(memory, chunksOf(built, 1 << 20))).toEqual(built.location);
    // Pieces that cut the token table in all places.
    expect(scanForKallsyms(memory, chunksOf(built, 4096 - 40))).toEqual(built.location);
  });
});

describe("kallsyms", () => {
  const symbols = makeSymbols(true);
  const built = buildKallsyms(symbols, START, shapes["6.12"] as KallsymsShape);
  const open = (holes: [number, number][] = []) => Kallsyms.open(new BytesReader(built.image, built.start, holes), built.location);
  const table = open();

  it("finds by address, and chooses among aliases as the kernel does", () => {
    expect(table.byAddress(virtual(0xffffffff81000010n))).toMatchObject({ offset: 16, symbol: { name: "startup_64", size: 0x100 } });
    expect(table.byAddress(virtual(0xffffffff82800044n))?.symbol.name).toBe("init_task");
    expect(table.byAddress(virtual(65n))?.symbol.name).toBe("percpu_1");
  });

  it("finds nothing between the per-CPU symbols and the image, nor past its end", () => {
    expect(table.byAddress(virtual(0xffff888000000000n))).toBeUndefined();
    expect(table.byAddress(virtual(0xffffffff82900000n))).toBeUndefined();
    expect(table.byAddress(virtual(0xffffffff82ffffffn))).toBeUndefined();
  });

  it("knows neighbours, prefixes and substrings", () => {
    const { previous, next } = table.neighbours(virtual(0xffffffff81000000n));
    expect(previous?.name).toBe("percpu_49");
    expect(next?.name).toBe("function_0_probe");
    expect(table.neighbours(virtual(0xffffffff82900000n)).next).toBeUndefined();
    expect(table.byAddress(virtual(0xffffffff82800090n))?.symbol.name).toBe("panic");
    expect(table.prefix("function_499", 3)).toEqual(["function_4990_probe", "function_4991_probe", "function_4992_probe"]);
    expect(table.prefix("init_t", 3)).toEqual(["init_task"]);
    expect(Array.from(table.matching("_task"), (one) => one.name)).toEqual(["init_task"]);
  });

  it("takes the encoding that gives a known symbol its address", () => {
    const known = { name: "_stext", address: virtual(0xffffffff81000000n) };
    expect(Kallsyms.open(new BytesReader(built.image, built.start), built.location, known).encoding).toBe("percpu-absolute");
  });

  it("goes on past unreadable pages of names and addresses", () => {
    const names = Number((built.location.names as bigint) - built.start);
    const partial = open([[names + 8192, names + 12288]]);
    expect(partial.count).toBe(symbols.length);
    expect(partial.lost).toBeGreaterThan(100);
    expect(open().lost).toBe(0);
    expect(partial.byName("init_task")?.address).toBe(0xffffffff82800040n);
    expect(Array.from({ length: partial.count }, (_, i) => partial.at(i).name).filter((name) => name === "").length).toBeGreaterThan(100);
    const offsets = Number((built.location.offsets as bigint) - built.start);
    const page = Math.ceil(offsets / 4096) * 4096;
    const fewer = open([[page, page + 4096]]);
    expect(fewer.unreadable).toBeGreaterThanOrEqual(1024);
    expect(fewer.byName("init_task")?.address).toBe(0xffffffff82800040n);
  });

  it("finds nothing in an image without tables", () => {
    const random = new Random(1);
    const bytes = Uint8Array.from({ length: 1 << 16 }, () => random.below(256));
    const digits = Uint8Array.from("0\x001\x002\x003\x004\x005\x006\x007\x008\x009\0", (one) => one.charCodeAt(0));
    bytes.set(digits, 5000);
    const reader = new BytesReader(bytes, virtual(START));
    expect(scanForKallsyms(reader, [{ address: virtual(START), bytes }])).toBeUndefined();
  });

  it("survives damage with right answers or one of our errors", () => {
    for (let seed = 0; seed < 60; seed++) {
      const random = new Random(seed);
      const image = built.image.slice();
      // Damage the small tables more often than chance would.
      const places = [
        built.location.tokenIndex,
        built.location.tokenTable,
        built.location.markers,
        built.location.numSyms,
        built.location.relativeBase,
      ];
      const place = Number((places[seed % places.length] as bigint) - built.start);
      for (let i = 0; i < 4; i++)
        image[random.below(2) === 0 ? place + random.below(8) : 4096 + random.below(image.length - 4096)] = random.below(256);
      const reader = new BytesReader(image, built.start);
      try {
        const damaged = Kallsyms.open(reader, built.location);
        damaged.byName("init_task");
        damaged.byAddress(virtual(0xffffffff81000010n));
        damaged.prefix("function_1", 5);
        for (let i = 0; i < damaged.count; i += 97) damaged.at(i);
      } catch (error) {
        if (!(error instanceof InquestError)) throw new Error(`seed ${seed}`, { cause: error });
      }
    }
  });
});
