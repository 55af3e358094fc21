/**
 * What addresses are, against the guests' own word: symbols, module sections, stacks, mappings, vmalloc areas, per-CPU variables; on every
 * kernel and both machines. Words that are nothing must be nothing, and no word may make it throw.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type CachedCase, cachedCases, dumpNamed } from "../../lab/case-record.ts";
import { type Truth, truthOf } from "../../lab/truth.ts";
import { add, virtual } from "../../src/bytes/address.ts";
import { briefText, regionText, roleText } from "../../src/identity/describe.ts";
import { identifyAddress } from "../../src/identity/identify.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import { openKernel } from "../../src/kernel/open.ts";
import type { AddressRole } from "../../src/linux/address-identity.ts";
import { taskTable } from "../../src/linux/task.ts";
import { vmallocAreas } from "../../src/linux/vmalloc.ts";
import { taskStack } from "../../src/stack/task-stack.ts";

const cases = cachedCases()
  .filter(({ id }) => /^(5\.10|6\.1|6\.12|sid)-(amd64|arm64)(-16k)?-null$/.test(id))
  .map((lab): [string, CachedCase] => [lab.id, lab]);

describe.skipIf(cases.length === 0).each(cases)("%s", (_id, lab) => {
  let kernel: Kernel;
  let truth: Truth;
  beforeAll(async () => {
    kernel = await openKernel(dumpNamed(lab, "elf").files as string[]);
    truth = truthOf(lab);
  });
  afterAll(() => kernel.dump.close());

  const roles = (address: bigint, task?: bigint) =>
    identifyAddress(kernel, address, task === undefined ? {} : { task: virtual(task) }).roles;
  type RoleOf<Kind extends string> = AddressRole extends infer Each
    ? Each extends { readonly kind: infer Own }
      ? Kind extends Own
        ? Each
        : never
      : never
    : never;
  const role = <Kind extends AddressRole["kind"]>(address: bigint, kind: Kind, task?: bigint) =>
    roles(address, task).find((each): each is RoleOf<Kind> => each.kind === kind);

  test("text, data and module symbols are what /proc/kallsyms calls them", () => {
    const { addresses, names, types, modules } = truth.kallsyms();
    const byAddress = new Map<bigint, Set<string>>();
    for (const [i, address] of addresses.entries()) byAddress.set(address, (byAddress.get(address) ?? new Set()).add(names[i] as string));
    const wrong: string[] = [];
    let asked = 0;
    // Init text and data are gone; absolute symbols and those of per-CPU variables are no addresses.
    const initial = [kernel.tryAddress("__init_begin") ?? 0n, kernel.tryAddress("__init_end") ?? 0n];
    for (let i = 0; i < addresses.length; i += 37) {
      const address = addresses[i] as bigint;
      const known = modules[i] === undefined || modules[i]?.startsWith("lab_") === true;
      if (!/[tTdDbBrR]/.test(types[i] as string) || !kernel.arch.isKernelAddress(address) || !known) continue;
      if (address >= (kernel.tryAddress("_end") ?? 1n << 64n) && modules[i] === undefined) continue;
      if (/^(\$|\.L|__per_cpu)/.test(names[i] as string) || (address >= (initial[0] ?? 0n) && address < (initial[1] ?? 0n))) continue;
      asked++;
      const found = role(address, "symbol");
      if (found === undefined || found.offset !== 0 || byAddress.get(address)?.has(found.name) !== true) {
        if (/^(_end|__bss_stop|_etext|__end_rodata|_edata|__init_end|__brk_limit)$/.test(names[i] as string)) continue;
        wrong.push(`${names[i]} ${address.toString(16)}: ${JSON.stringify(found?.name)}+${found?.offset}`);
      }
    }
    expect(asked).toBeGreaterThan(500);
    // bpf programs and ftrace trampolines are in the list and in no image.
    expect(wrong.slice(0, 5)).toEqual([]);
  });

  test("sections of modules", () => {
    for (const module of truth.modules()) {
      for (const [section, address] of module.sections) {
        if (
          /init|exit|percpu|BTF|^\.(smp_locks|alt|retpoline|return_sites|call_sites|ibt)|^__(mcount|bug|jump|ex_table|param)|text\.unlikely|^\.(str|sym)tab/.test(
            section,
          )
        )
          continue;
        const found = role(address, "module");
        // Sections without a byte share their address with the next.
        if (found !== undefined) expect([module.name, 0], section).toEqual([found.module, found.offset]);
        else expect(kernel.memory.tryU64(virtual(address)), `${module.name} ${section}`).toBeUndefined();
      }
    }
  });

  test("what lab_objects printed", () => {
    for (const [name, { address }] of truth.objects()) {
      if (name === "vmalloc") {
        expect(role(address, "vmalloc area")).toMatchObject({ start: address });
      } else {
        expect(identifyAddress(kernel, address).region, name).toBe("modules");
        expect(role(address, "module")?.module, name).toBe("lab_objects");
      }
    }
  });

  test("stacks and task_structs of all tasks", () => {
    for (const task of taskTable(kernel).tasks) {
      const stack = taskStack(kernel, task.address);
      for (const at of [stack.start, add(stack.end, -8)])
        expect(role(at, "task stack")).toMatchObject({ task: { pid: task.pid, address: task.address }, low: stack.start, high: stack.end });
      const below = role(add(stack.start, -8), "task stack");
      expect(below?.low).not.toBe(stack.start);
      expect(role(add(task.address, 0x20), "task")).toMatchObject({ task: { address: task.address }, offset: 0x20 });
      const object = role(add(task.address, 0x20), "slab object");
      if (task.pid !== 0 || task.cpu !== 0) expect(object).toMatchObject({ cache: "task_struct", state: { state: "allocated" } });
    }
  });

  test("mappings of processes are those of /proc/PID/maps", () => {
    let compared = 0;
    let same = 0;
    for (const pid of truth.processIds()) {
      const task = taskTable(kernel).byPid.get(pid);
      const maps = truth.files.read(`proc/${pid}/maps`);
      if (task === undefined || task.mm === 0n || maps === undefined) continue;
      for (const line of maps.split("\n").filter(Boolean)) {
        const [range = "", , , , , path = ""] = line.split(/\s+/);
        const [start = 0n, end = 0n] = range.split("-").map((word) => BigInt(`0x${word}`));
        if (start >= 1n << 56n) continue;
        compared++;
        const found = role(start, "mapping", task.address);
        if (found?.start !== start || found.end !== end || found.task?.pid !== pid) continue;
        if (path.startsWith("/") ? found.file === path : !/^\[(heap|stack|vdso)\]$/.test(path) || found.name === path) same++;
      }
    }
    expect(compared).toBeGreaterThan(20);
    // Heaps grow between the recording and the death.
    expect(same / compared).toBeGreaterThan(0.95);
  });

  test("vmalloc areas have the callers of /proc/vmallocinfo", () => {
    const told = new Map<string, number>();
    for (const line of truth.text("proc/vmallocinfo").split("\n")) {
      const [, size, caller] = /^\S+\s+(\d+) ([\w.]+\+0x[0-9a-f]+)\/0x/.exec(line) ?? [];
      if (size !== undefined) told.set(`${size} ${caller}`, (told.get(`${size} ${caller}`) ?? 0) + 1);
    }
    let found = 0;
    let all = 0;
    for (const { start, end } of vmallocAreas(kernel).busy) {
      const area = role(start, "vmalloc area");
      const key = `${Number(end - start)} ${area?.caller?.replace(/ \[.*/, "")}`;
      const left = told.get(key) ?? 0;
      told.set(key, left - 1);
      all++;
      if (left > 0) found++;
    }
    expect(all).toBeGreaterThan(20);
    expect(found / all).toBeGreaterThan(0.9);
  });

  test("per-CPU variables by CPU", () => {
    const symbol = kernel.tryAddress("runqueues");
    if (symbol === undefined || kernel.tryAddress("__per_cpu_start") === undefined) return;
    for (const cpu of kernel.perCpuOffsets.keys()) {
      if (kernel.perCpuOffsets[cpu] === undefined) continue;
      expect(role(add(kernel.perCpuAddress(symbol, cpu), 8), "per-CPU variable")).toMatchObject({ name: "runqueues", cpu, offset: 8 });
    }
  });

  test("any word has an answer, and no answer throws", () => {
    let state = 88172645463325252n;
    const next = () => {
      state ^= BigInt.asUintN(64, state << 13n);
      state ^= state >> 7n;
      state ^= BigInt.asUintN(64, state << 17n);
      return state;
    };
    const starts = [0n, 1n << 63n, kernel.arch.kernelStart, kernel.arch.linearOffset ?? 0n, kernel.tryAddress("_text") ?? 0n, ~0n];
    for (let i = 0; i < 3000; i++) {
      const near = (starts[i % starts.length] as bigint) + BigInt.asIntN(64, next()) / (1n << BigInt(i % 60));
      for (const options of [{}, { brief: true }, { task: taskTable(kernel).byPid.get(1)?.address ?? virtual(0n) }]) {
        const identity = identifyAddress(kernel, near, options);
        for (const each of identity.roles) expect(roleText(each)).not.toMatch(/undefined|NaN/);
        expect(`${regionText(identity)} ${briefText(identity) ?? ""}`).not.toMatch(/undefined|NaN/);
      }
    }
  });
});
