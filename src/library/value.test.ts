import { describe, expect, it } from "vitest";
import { openKernel } from "../kernel/open.ts";
import { Kernel } from "./kernel.ts";

const kernel = new Kernel(await openKernel(["samples/x86-64-null-pointer/vmcore"]));

describe("Value", () => {
  it("follows members by steps and by path", () => {
    const init = kernel.variable("init_task");
    expect(init.member("comm").string()).toBe("swapper/0");
    expect(init.get("signal->rlim[7].rlim_cur").bigint()).toBe(init.member("signal").member("rlim").index(7).member("rlim_cur").bigint());
    expect(init.has("comm")).toBe(true);
    expect(init.has("no_such_member")).toBe(false);
  });

  it("walks a list as the task table does", () => {
    const leaders = [...kernel.variable("init_task").member("tasks").list("task_struct", "tasks")].map((task) => task.get("pid").number());
    const expected = kernel.tasks().filter((task) => task.pid === task.tgid && !task.idle);
    expect([...leaders].sort((a, b) => a - b)).toEqual(expected.map((task) => task.pid));
  });

  it("walks a maple tree in address order", () => {
    const init = kernel.taskStruct(kernel.task(1));
    const areas = [...init.get("mm->mm_mt").mapleTree("struct vm_area_struct")];
    expect(areas.length).toBeGreaterThan(5);
    for (const { index, last, value } of areas) {
      expect(value.typeName).toBe("struct vm_area_struct *");
      expect(value.member("vm_start").bigint()).toBe(index);
      expect(value.member("vm_end").bigint()).toBe(last + 1n);
    }
  });

  it("casts, points and comes back", () => {
    const init = kernel.variable("init_task");
    const pointer = init.addressOf();
    expect(pointer.typeName).toBe("struct task_struct *");
    expect(pointer.equals(kernel.symbol("init_task").address)).toBe(true);
    expect(init.member("tasks").containerOf("struct task_struct", "tasks").address).toBe(init.address);
    expect(pointer.cast("unsigned int").bigint()).toBe(BigInt.asUintN(32, kernel.symbol("init_task").address));
    expect(pointer.add(1).bigint()).toBe(kernel.symbol("init_task").address + BigInt(init.size));
  });

  it("is plain data, and the text that p prints", () => {
    expect(kernel.variable("init_task").get("tasks").plain()).toEqual({ next: expect.any(BigInt), prev: expect.any(BigInt) });
    expect(kernel.variable("panic_timeout").toString()).toBe(String(kernel.variable("panic_timeout").number()));
  });
});

describe("interactive form", () => {
  const { $ } = kernel;

  it("has members as properties, and text, numbers and elements of them", () => {
    expect(String($.init_task.pid)).toBe("0");
    expect(`${$.init_task.comm}`).toContain('"swapper/0');
    expect(Number($.init_task.nr_cpus_allowed) + 1).toBe(kernel.variable("init_task").get("nr_cpus_allowed").number() + 1);
    expect([...$.avenrun].map(Number)).toEqual([...kernel.variable("avenrun")].map((each) => each.number()));
    expect($.init_task.$value.address).toBe(kernel.symbol("init_task").address);
  });

  it("says which member does not exist", () => {
    expect(() => $.init_task.no_such).toThrow(/no member "no_such"/);
  });

  it("is no promise", async () => {
    const value = await Promise.resolve($.init_task);
    expect(String(value.pid)).toBe("0");
  });
});
