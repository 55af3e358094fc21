import { afterAll, describe, expect, it } from "vitest";
import { FaultError, LookupError, UnsupportedError, UsageError } from "../bytes/errors.ts";
import { openKernel } from "../kernel/open.ts";
import { Kernel } from "./kernel.ts";

const samples = ["x86-64-null-pointer", "arm64-null-pointer"];

describe.each(samples)("%s", async (sample) => {
  const kernel = new Kernel(await openKernel([`samples/${sample}/vmcore`]));
  afterAll(() => kernel.close());

  it("finds symbols by name, by address and by text", () => {
    const { address } = kernel.symbol("schedule");
    expect(kernel.symbol(address + 4n).name).toBe("schedule");
    expect(kernel.symbolAt(address + 4n)?.offset).toBe(4);
    expect(kernel.symbolize(address + 4n)).toMatch(/^schedule\+/);
    expect(kernel.symbols("vfs_read").map(({ name }) => name)).toContain("vfs_readlink");
    expect(() => kernel.symbol(1n)).toThrow(LookupError);
  });

  it("reads memory by virtual and by physical addresses", () => {
    const { address } = kernel.symbol("schedule");
    const physical = kernel.memory.translate(address);
    expect(kernel.physical.bytes(physical, 64)).toEqual(kernel.memory.bytes(address, 64));
    expect(kernel.memory.cString(kernel.variable("init_task").get("comm").address as bigint)).toBe("swapper/0");
    expect(kernel.pageWalk(address).physical).toBe(physical);
    expect(() => kernel.physical.u8(1n << 60n)).toThrow(FaultError);
  });

  it("knows tasks and how they hang together", () => {
    const init = kernel.task(1);
    expect(init.toJSON()).toMatchObject({ pid: 1, ppid: 0, comm: init.comm, active: init.active });
    expect(kernel.task(init.address).pid).toBe(1);
    for (const child of init.children) expect(child.parent?.pid).toBe(1);
    expect(init.children.length).toBeGreaterThan(0);
    expect(init.threads.map((each) => each.tgid)).toEqual(init.threads.map(() => 1));
    expect(init.$.pid.$value.number()).toBe(1);
    expect(init.userMemory.tryU32(0n)).toBeUndefined();
    expect(() => kernel.task(2).userMemory).toThrow(UnsupportedError);
    expect(kernel.panicTask?.active).toBe(true);
  });

  it("unwinds stacks, with registers", () => {
    const { frames, stop, complete } = kernel.stack(kernel.panicTask?.pid ?? 0);
    expect(complete).toBe(true);
    expect(stop).not.toBe("");
    expect(frames.map(({ level }) => level)).toEqual(frames.map((_, i) => i));
    expect(frames[0]?.function).toMatch(/^lab_fault/);
    expect(Object.keys(frames[0]?.registers ?? {}).length).toBeGreaterThan(10);
    expect(frames[0]?.variables).toEqual([]);
    expect(kernel.stack(kernel.task(2)).frames.at(-1)?.function).toMatch(/ret_from_fork|kthread/);
    expect(kernel.stack(kernel.symbol("init_task").address).task.pid).toBe(0);
  });

  it("disassembles", async () => {
    await import("../index.ts");
    const lines = await kernel.disassemble("schedule", 3);
    expect(lines.map(({ address }) => address)).toHaveLength(3);
    expect(lines[0]).toMatchObject({ address: kernel.symbol("schedule").address, symbol: { name: "schedule", offset: 0 } });
    expect(await kernel.disassemble(kernel.symbol("schedule").address, 3)).toEqual(lines);
  });

  it("describes the machine", () => {
    expect(kernel.system).toMatchObject({ tasks: kernel.tasks().length, cpus: 2, release: kernel.release });
    expect(kernel.machine.pageSize).toBe(4096);
    expect(kernel.memoryMap.ranges.length).toBeGreaterThan(0);
    expect(kernel.definition("struct list_head")).toMatchObject({ kind: "struct", size: 16 });
    expect(kernel.definition("task_struct.pid").members).toHaveLength(1);
  });
});

describe("search", async () => {
  const kernel = new Kernel(await openKernel(["samples/x86-64-null-pointer/vmcore"]));
  afterAll(() => kernel.close());
  const banner = kernel.symbol("linux_banner").address;

  it("finds text in a range, and ends at its limit", () => {
    const range = { from: banner - 0x1000n, to: banner + 0x1000n };
    const hits = [...kernel.search("Linux version ", range)];
    expect(hits).toContainEqual({ address: banner, symbol: "linux_banner" });
    expect([...kernel.search(Uint8Array.of(0x4c, 0x69, 0x6e), { ...range, limit: 1 })]).toHaveLength(1);
  });

  it("finds what lies across two pages, once", () => {
    const border = (banner | 0xfffn) + 1n;
    const bytes = kernel.memory.bytes(border - 5n, 9);
    const hits = [...kernel.search(bytes, { from: border - 0x1000n, to: border + 0x1000n })].map(({ address }) => address);
    expect(hits.filter((address) => address === border - 5n)).toHaveLength(1);
  });

  it("finds numbers at their alignment only, with bits that may differ", () => {
    const from = kernel.symbol("init_task").address;
    const to = from + BigInt(kernel.variable("init_task").size);
    const at = kernel.variable("init_task").get("tasks.next").address as bigint;
    const value = kernel.memory.u64(at);
    expect([...kernel.search(value, { from, to })].map(({ address }) => address)).toContain(at);
    expect([...kernel.search(value >> 8n, { from, to, size: 4 })].map(({ address }) => address)).not.toContain(at + 1n);
    expect([...kernel.search(value ^ 0xffn, { from, to, ignore: 0xffn })].map(({ address }) => address)).toContain(at);
  });

  it("goes through all memory, by linear or physical addresses, and tells what it could not read", () => {
    const search = kernel.search("Linux version 6.1", { physical: true });
    const hits = [...search].map(({ address }) => address);
    expect(hits).toContain(kernel.memory.translate(banner));
    expect(search.unread.get("excluded")).toBeGreaterThan(1000);
    const linear = [...kernel.search("Linux version 6.1")].map(({ address }) => address);
    expect(linear.map((address) => kernel.memory.translate(address))).toEqual(hits);
  });

  it("refuses what cannot be searched", () => {
    expect(() => kernel.search("")).toThrow(UsageError);
    expect(() => kernel.search("x", { from: 1n })).toThrow(UsageError);
    expect(() => kernel.search("x", { from: 0n, to: 1n << 60n })).toThrow(/64 GiB/);
    expect(() => kernel.search("x", { align: 3 })).toThrow(UsageError);
  });
});
