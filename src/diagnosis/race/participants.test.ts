import { expect, test } from "vitest";
import type { FaultCase } from "../fault/fault-case.ts";
import type { Sharer } from "../verdict.ts";
import { raceParticipants } from "./participants.ts";

const TASK = { pid: 119, comm: "sink/1", address: 0x1000n };

function fault({ core = false, loaded = true } = {}): FaultCase {
  const steps = loaded ? [{ kind: "load", load: { size: 8, comparison: "same", address: 0x2000n } }] : [];
  return {
    guilty: { function: "purge", module: core ? undefined : "sink" },
    subject: { task: TASK, cpu: 1 },
    bad: { value: 0n, origin: { steps } },
  } as unknown as FaultCase;
}

const other = (more: Partial<Sharer> = {}): Sharer =>
  ({
    pid: 118,
    comm: "sink/0",
    task: 0x3000n,
    cpu: 0,
    running: true,
    function: "fill",
    module: "sink",
    object: 0x2000n,
    cache: "kmalloc-96",
    pointer: 0x2000n,
    ...more,
  }) as Sharer;

test("two that ran at the same object at once take part, the one that met it first", () => {
  expect(raceParticipants(fault(), "use-after-free", [other()])).toMatchObject([
    { pid: 119, comm: "sink/1", cpu: 1, central: true },
    { pid: 118, comm: "sink/0", cpu: 0, role: "was in fill with a pointer to the same object of kmalloc-96", central: true },
  ]);
});

test("sleepers, the kernel's own code and other modules take no part", () => {
  for (const each of [other({ running: false }), other({ module: "disk" }), { ...other(), module: undefined } as unknown as Sharer])
    expect(raceParticipants(fault(), "use-after-free", [each])).toBeUndefined();
  expect(raceParticipants(fault({ core: true }), "use-after-free", [other({ module: "sink" })])).toBeUndefined();
});

test("nor do they in what no race makes", () => {
  expect(raceParticipants(fault(), "out-of-bounds", [other()])).toBeUndefined();
  expect(raceParticipants(fault({ loaded: false }), "null-pointer-dereference", [other()])).toBeUndefined();
  expect(raceParticipants(fault({ loaded: false }), "list-corruption", [other()])).toHaveLength(2);
});
