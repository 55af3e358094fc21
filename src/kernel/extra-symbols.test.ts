import { describe, expect, test } from "vitest";
import { virtual } from "../bytes/address.ts";
import type { KernelSymbol, SymbolTable } from "../debug-info/symbols.ts";
import type { AddressSpace } from "./address-space.ts";
import { findExtraSymbols } from "./extra-symbols.ts";
import { array, CHAR, INT, pointerTo, SparseMemory, struct, typeSource, UINT, ULONG, VOID } from "./testing/small-kernel.ts";
import { Types } from "./types.ts";

const IMAGE = 0xffff_8000_1000_0000n;
const HEAD = IMAGE + 0x1f8n;
const DECOY = IMAGE + 0x40n;
/** Near the image on purpose: modules may be loaded right behind it. */
const MODULE = IMAGE + 0x10_0000n;
const OTHER = IMAGE + 0x20_0000n;

const listHead = struct("list_head", [
  ["next", ULONG],
  ["prev", ULONG],
]);
const layout = struct("module_layout", [
  ["base", pointerTo(VOID)],
  ["size", UINT],
]);
const module = struct("module", [
  ["state", INT],
  ["list", listHead],
  ["name", array(CHAR, 56)],
  ["core_layout", layout],
  ["init_layout", layout],
]);
const rq = struct("rq", [
  ["idle", ULONG],
  ["cpu", UINT],
]);

function link(memory: SparseMemory, head: bigint, node: bigint): void {
  memory
    .put(head, node)
    .put(head + 8n, node)
    .put(node, head)
    .put(node + 8n, head);
}

function extraOf(memory: SparseMemory, known: Readonly<Record<string, bigint>> = {}): Map<string, KernelSymbol> {
  const symbol = (name: string, address: bigint): KernelSymbol => ({
    name,
    address: virtual(address),
    type: "D",
    module: undefined,
    size: undefined,
  });
  const extra = new Map(Object.entries(known).map(([name, address]) => [name, symbol(name, address)]));
  const kallsyms = { byName: () => undefined } as unknown as SymbolTable;
  const types = new Types(memory, [typeSource([listHead, layout, module, rq])]);
  const image = () => [{ address: virtual(IMAGE), bytes: memory.bytes(virtual(IMAGE), 0x200) }];
  findExtraSymbols({ memory: memory as unknown as AddressSpace, types, kallsyms, extra, image, notes: [] });
  return extra;
}

describe("the list of modules by its shape", () => {
  test("a struct module in its own memory, near the image, its head at the very end of a piece; a decoy before it", () => {
    const memory = new SparseMemory();
    memory.write(IMAGE, new Uint8Array(0x300));
    // A list whose element happens to have a name where a module has one, and lies in no memory of its own.
    link(memory, DECOY, OTHER + 8n);
    memory
      .put(OTHER, 0, 4)
      .text(OTHER + 24n, "decoy")
      .put(OTHER + 80n, IMAGE)
      .put(OTHER + 88n, 0x1000, 4);
    link(memory, HEAD, MODULE + 0x48n);
    const at = MODULE + 0x40n;
    memory
      .put(at, 0, 4)
      .text(at + 24n, "loop")
      .put(at + 80n, MODULE)
      .put(at + 88n, 0x1000, 4);
    expect(extraOf(memory).get("modules")?.address).toBe(HEAD);
    // Its memory elsewhere: no module.
    memory.put(at + 80n, OTHER);
    expect(extraOf(memory).get("modules")).toBeUndefined();
  });
});

describe("runqueues by their shape", () => {
  const known = { init_task: IMAGE + 0x100n, __per_cpu_offset: IMAGE + 0x180n, kstat: IMAGE + 0x5000n };
  const offset = 0x4000_0000n;
  const runqueues = IMAGE + 0x5040n;

  function machine(secondCpu: number): SparseMemory {
    const memory = new SparseMemory();
    memory.write(IMAGE, new Uint8Array(0x300));
    memory.put(known.__per_cpu_offset, offset).put(known.__per_cpu_offset + 8n, 2n * offset);
    memory.put(runqueues + offset, known.init_task).put(runqueues + offset + 8n, 0, 4);
    memory.put(runqueues + 2n * offset + 8n, secondCpu, 4);
    return memory;
  }

  test("idle is init_task on CPU 0, and CPU 1's copy knows its number", () => {
    expect(extraOf(machine(1), known).get("runqueues")?.address).toBe(runqueues);
    expect(extraOf(machine(0), known).get("runqueues")).toBeUndefined();
    expect(extraOf(machine(7), known).get("runqueues")).toBeUndefined();
  });

  test("what is known already is left alone", () => {
    expect(extraOf(machine(1), { ...known, runqueues: 0x1234n }).get("runqueues")?.address).toBe(0x1234n);
  });
});
