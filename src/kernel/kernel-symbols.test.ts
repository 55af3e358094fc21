import { describe, expect, test } from "vitest";
import { virtual } from "../bytes/address.ts";
import type { DebugInfo } from "../debug-info/debug-info.ts";
import type { KernelSymbol } from "../debug-info/symbols.ts";
import { KernelDebugInfo } from "./debug-info.ts";
import { KernelSymbols } from "./kernel-symbols.ts";
import { moduleVariable } from "./module-variables.ts";
import type { KernelModule } from "./modules.ts";
import { smallKernel } from "./testing/small-kernel.ts";

const MODULE = 0xffff_ffff_c000_0000n;

function combined(): KernelSymbols {
  const kernel = smallKernel({
    symbols: { schedule: [0xffff_ffff_8100_1000n, "T"], vfs_read: [0xffff_ffff_8100_2000n, "T"], _end: [0xffff_ffff_8300_0000n, "B"] },
  }).symbols;
  const own = smallKernel({ symbols: { loop_init: [MODULE + 0x100n, "t", "loop"], schedule: [MODULE + 0x200n, "t", "loop"] } }).symbols;
  const extra: KernelSymbol = {
    name: "init_task",
    address: virtual(0xffff_ffff_8200_0000n),
    type: "?",
    module: undefined,
    size: undefined,
  };
  const module = {
    name: "loop",
    regions: [{ kind: "text", start: virtual(MODULE), size: 0x1000 }],
    symbols: () => own,
  } as unknown as KernelModule;
  return new KernelSymbols(kernel, new Map([["init_task", extra]]), () => [module]);
}

describe("KernelSymbols", () => {
  test("names: the kernel first, then what is known beside it, then modules", () => {
    const symbols = combined();
    expect(symbols.byName("schedule")?.address).toBe(0xffff_ffff_8100_1000n);
    expect(symbols.allByName("schedule").map(({ address }) => address)).toEqual([0xffff_ffff_8100_1000n, MODULE + 0x200n]);
    expect(symbols.byName("init_task")?.type).toBe("?");
    expect(symbols.byName("loop_init")?.module).toBe("loop");
    expect(symbols.byName("nothing")).toBeUndefined();
    expect(symbols.prefix("init", 5)).toEqual(["init_task"]);
    expect(symbols.count).toBe(5);
    expect(symbols.at(3).module).toBe("loop");
  });

  test("addresses: a module's range is its own, and nothing has a name outside", () => {
    const symbols = combined();
    expect(symbols.byAddress(virtual(0xffff_ffff_8100_1010n))).toMatchObject({ offset: 16, symbol: { name: "schedule" } });
    expect(symbols.byAddress(virtual(MODULE + 0x108n))).toMatchObject({ offset: 8, symbol: { name: "loop_init" } });
    // Before the module's first symbol, behind the image, in the linear map: no name, though a table has a "nearest" one.
    expect(symbols.byAddress(virtual(MODULE + 8n))).toBeUndefined();
    expect(symbols.byAddress(virtual(0xffff_ffff_8400_0000n))).toBeUndefined();
    expect(symbols.byAddress(virtual(MODULE + 0x2000n))).toBeUndefined();
    expect(symbols.byAddress(virtual(0xffff_8880_0000_0000n))).toBeUndefined();
  });
});

test("variables of modules that no table lists come from debug files in use", () => {
  const [place, type] = [MODULE + 0x4000n, { kind: "int", name: "int", size: 4, signed: true, encoding: "int" } as const];
  const asked: string[] = [];
  const info = {
    variables: (name: string) => {
      asked.push(name);
      if (name !== "lab_tree") return [];
      const one = { name, type, external: false, declared: undefined };
      // One of the same name inside a function, and one that was optimised away.
      return [
        { ...one, address: place - 16n, scope: "lab_init" },
        { ...one, address: undefined, scope: undefined },
        { ...one, address: place - 0x100n, scope: undefined },
      ];
    },
  } as unknown as DebugInfo;
  const debugInfo = new KernelDebugInfo(undefined, () => []);
  const symbols = new KernelSymbols(
    smallKernel({ symbols: {} }).symbols,
    new Map(),
    () => [],
    (name) => moduleVariable(debugInfo, name),
  );
  expect(symbols.byName("lab_tree")).toBeUndefined();
  debugInfo.setModule("lab", { module: "lab", path: "lab.ko", info, bias: 0x100n });
  expect(symbols.byName("lab_tree")).toEqual({ name: "lab_tree", address: place, type: "d", module: "lab", size: 4 });
  expect(symbols.allByName("lab_tree").map(({ address }) => address)).toEqual([place]);
  expect(symbols.byName("other")).toBeUndefined();
  expect(asked).toContain("other");
});
