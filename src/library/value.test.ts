import { describe, expect, it } from "vitest";
import { openKernel } from "../kernel/open.ts";
import { Kernel } from "./kernel.ts";
import type { Value } from "./value.ts";

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

  it("walks an xarray by its index: the pids of the task table", () => {
    const idr = kernel.variable("init_pid_ns").get("idr");
    const pids = [...idr.xarray("struct pid")].map(({ index, last, value }) => {
      expect([last, value.typeName]).toEqual([index, "struct pid *"]);
      return Number(index);
    });
    const known = new Set(
      kernel
        .tasks()
        .filter((task) => !task.idle)
        .map(({ pid }) => pid),
    );
    expect(pids.filter((pid) => known.has(pid))).toEqual([...known].sort((a, b) => a - b));
    expect([...idr.get("idr_rt").radixTree()].map(({ index }) => Number(index))).toEqual(pids);
  });

  it("walks an hlist: the task behind a pid", () => {
    const [first] = [...kernel.variable("init_pid_ns").get("idr").xarray("struct pid")];
    const tasks = [...(first as { value: Value }).value.get("tasks[0]").hlist("struct task_struct", "pid_links")];
    expect(tasks.map((task) => task.get("pid").number())).toEqual([1]);
  });

  it("walks a red-black tree in order", () => {
    const root = kernel.object("struct rb_root", kernel.symbol("free_vmap_area_root").address);
    const starts = [...root.rbtree("struct vmap_area", "rb_node")].map((area) => area.get("va_start").bigint());
    expect(starts.length).toBeGreaterThan(10);
    expect(starts).toEqual([...starts].sort((a, b) => (a < b ? -1 : 1)));
  });

  it("calculates as C does", () => {
    const first = kernel.variable("avenrun").index(0).addressOf();
    expect(first.add(2).subtract(first)).toBe(2n);
    expect(first.add(2).subtract(first.bigint())).toBe(16n);
    expect(first.add(1).compare(first)).toBe(1);
    expect([first.compare(first), first.compare(first.add(1)), first.equals(first.bigint())]).toEqual([0, -1, true]);
  });

  it("is a tree of nodes, as p answers", () => {
    const { values } = kernel.run("p init_task.tasks") as { values: readonly { value: unknown }[] };
    expect(kernel.expression("init_task.tasks").node()).toEqual(values[0]?.value);
    expect(kernel.variable("init_task").get("nr_cpus_allowed").toString(16)).toMatch(/^0x/);
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
