import { expect, test, vi } from "vitest";
import type { CType } from "../../debug-info/c-type.ts";
import type { DebugInfo, GlobalVariable, Scope } from "../../debug-info/debug-info.ts";
import type { KernelSymbol } from "../../debug-info/symbols.ts";
import { NO_DATA_SYMBOLS, SYMBOLS_LOST } from "../extra-symbols.ts";
import { INT, pointerTo, SparseMemory, smallKernel, struct, UINT, VOID } from "../testing/small-kernel.ts";
import { isPerCpu, isText, kernelScope, symbolType } from "./scope.ts";

const BASE = 0xffff800000000000n;
const named = (kernel: ReturnType<typeof smallKernel>, name: string) => kernel.symbols.byName(name) as KernelSymbol;

test("the letter T means text only within the text", () => {
  const kernel = smallKernel({
    symbols: {
      _stext: [BASE, "T"],
      run: [BASE + 8n, "t"],
      _etext: [BASE + 64n, "T"],
      data: [BASE + 128n, "T"],
      mod: [BASE + 4096n, "t", "loop"],
    },
  });
  expect(["run", "data", "mod"].map((name) => isText(kernel, named(kernel, name)))).toEqual([true, false, true]);
});

test("without bounds a declared variable is no text", () => {
  const kernel = smallKernel({ symbols: { run: [BASE, "T"], data: [BASE + 8n, "T"] }, variables: { data: INT } });
  expect(["run", "data"].map((name) => isText(kernel, named(kernel, name)))).toEqual([true, false]);
});

test("per-CPU by the section's bounds", () => {
  const kernel = smallKernel({
    symbols: { __per_cpu_start: [0n, "D"], mine: [16n, "D"], __per_cpu_end: [64n, "D"], other: [BASE, "D"] },
    variables: { mine: INT },
  });
  expect(["mine", "other"].map((name) => isPerCpu(kernel, named(kernel, name)))).toEqual([true, false]);
  expect(() => kernelScope(kernel).variable("mine")).toThrow('"mine" is per-CPU: say which CPU\'s: p mine:0');
});

test("without bounds: the template is gone and CPU 0's copy is there", () => {
  const memory = new SparseMemory().put(BASE + 0x10_0010n, 1).put(BASE + 0x5000n, 1);
  const kernel = smallKernel({
    memory,
    symbols: { mine: [BASE + 16n, "D"], other: [BASE + 0x5000n, "D"], lost: [BASE + 0x90_0000n, "D"] },
    perCpuOffsets: [0x10_0000n],
  });
  expect(["mine", "other", "lost"].map((name) => isPerCpu(kernel, named(kernel, name)))).toEqual([true, false, false]);
});

test("a module's per-CPU variables lie in its own area", () => {
  const module = struct("module", [
    ["percpu", pointerTo(VOID)],
    ["percpu_size", UINT],
  ]);
  const memory = new SparseMemory().put(BASE, 0x2_0000n).put(BASE + 8n, 16, 4);
  const kernel = smallKernel({
    memory,
    types: [module],
    symbols: { mine: [0x2_0008n, "d", "lab"], behind: [0x2_0010n, "d", "lab"], strange: [0x2_0008n, "d", "gone"] },
  });
  Object.defineProperty(kernel, "modules", { value: [{ name: "lab", address: BASE }] });
  expect(["mine", "behind", "strange"].map((name) => isPerCpu(kernel, named(kernel, name)))).toEqual([true, false, false]);
});

test("a macro over an underscored variable is offered first", () => {
  const kernel = smallKernel({ symbols: { __online_mask: [BASE, "D"], online: [BASE + 8n, "D"] } });
  expect(kernelScope(kernel).unknown("online_mask").nearest[0]).toBe("__online_mask");
});

test("a symbol table with missing pages is not one of functions only", () => {
  const kernel = smallKernel({ notes: [`512 ${SYMBOLS_LOST}`] });
  expect(kernelScope(kernel).unknown("jiffies").message).toBe(
    'no symbol named "jiffies" in this dump; parts of the kernel\'s symbol table cannot be read',
  );
});

test("a kernel that lists functions only says so", () => {
  const kernel = smallKernel({ notes: [NO_DATA_SYMBOLS] });
  expect(kernelScope(kernel).unknown("jiffies").message).toBe(
    'no symbol named "jiffies" in this dump; this kernel lists functions only (no CONFIG_KALLSYMS_ALL): most variables need its vmlinux',
  );
});

test("a module's variable has not the type of the kernel's variable of that name", () => {
  const kernel = smallKernel({
    symbols: { debug: [BASE, "d", "loop"], level: [BASE + 8n, "d"] },
    variables: { debug: INT, level: INT },
  });
  expect(["debug", "level"].map((name) => symbolType(kernel, named(kernel, name)))).toEqual([undefined, INT]);
});

test("of functions that share a name only debug information tells the prototype, by the address", () => {
  const prototype = (returns: CType): CType => ({ kind: "function", returns, parameters: [], variadic: false });
  const kernel = smallKernel({ symbols: { show: [BASE, "t"], alone: [BASE + 8n, "t"] } });
  const find = vi.spyOn(kernel.types, "find").mockImplementation((key) => (key === "function" ? prototype(INT) : undefined));
  const shared = named(kernel, "show");
  vi.spyOn(kernel.symbols, "allByName").mockImplementation((name) => (name === "show" ? [shared, shared] : [named(kernel, name)]));
  expect(symbolType(kernel, named(kernel, "alone"))).toEqual(prototype(INT));
  expect(symbolType(kernel, shared)).toBeUndefined();
  const scopes = vi.spyOn(kernel.debugInfo, "scopes");
  scopes.mockReturnValue([{ name: "show", type: prototype({ kind: "void" }) } as Scope]);
  expect(symbolType(kernel, shared)).toEqual(prototype({ kind: "void" }));
  scopes.mockReturnValue([{ name: "other", type: prototype({ kind: "void" }) } as Scope]);
  expect(symbolType(kernel, shared)).toBeUndefined();
  find.mockRestore();
});

test("the only variable of a name in debug information is another one when its address is", () => {
  const kernel = smallKernel({ symbols: { cache: [BASE + 0x100n, "d"] } });
  const described = (address: bigint | undefined) => {
    const variable: GlobalVariable = { name: "cache", type: INT, address, external: false, declared: undefined, scope: undefined };
    const info = { variables: () => [variable] } as unknown as DebugInfo;
    vi.spyOn(kernel.debugInfo, "present", "get").mockReturnValue(true);
    vi.spyOn(kernel.debugInfo, "vmlinux", "get").mockReturnValue({ module: undefined, path: "vmlinux", info, bias: 0x40n });
    return kernel.variableType("cache");
  };
  expect(described(BASE + 0xc0n)).toEqual(INT);
  expect(described(undefined)).toEqual(INT);
  expect(described(BASE + 0x200n)).toBeUndefined();
});
