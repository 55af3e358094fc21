/** The library's calls for the views of the system, where no `--api` line leads to them (api.test.ts runs the others). */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { LookupError } from "../../src/bytes/errors.ts";
import { openKernel } from "../../src/kernel/open.ts";
import { found } from "../../src/library/found.ts";
import { Kernel } from "../../src/library/kernel.ts";
import { samples } from "./samples.ts";

test("what was found is an array with notes, also those that come while it is pulled", () => {
  const notes: string[] = [];
  const items = found(
    (function* () {
      yield 1;
      notes.push("the rest is damaged");
    })(),
    notes,
  );
  expect([...items]).toEqual([1]);
  expect(items.notes).toEqual(["the rest is damaged"]);
  expect(JSON.stringify({ items })).toBe('{"items":[1]}');
});

describe.each(samples.map((sample) => [sample.name, sample] as const))("%s", (_, sample) => {
  let kernel: Kernel;
  beforeAll(async () => {
    kernel = new Kernel(await openKernel([sample.vmcore]));
  });
  afterAll(() => kernel.close());

  test("mounts are pid 1's unless told", () => {
    const mounts = kernel.mounts();
    expect(mounts.map(({ directory }) => directory)).toContain("/proc");
    expect(mounts).toEqual(kernel.mounts(kernel.task(1)));
    expect(mounts.notes).toEqual([]);
  });

  test("a task has files, directories and mappings; a kernel thread has none", () => {
    const init = kernel.task(1);
    expect(init.openFiles()[0]).toMatchObject({ fd: 0, path: "/dev/console" });
    expect(init.directories?.cwd.path).toBe("/");
    const mappings = init.mappings();
    expect(mappings.find(({ name }) => name === "[stack]")?.flagNames).toContain("WRITE");
    expect(mappings.every(({ start, end }, i) => start < end && start >= (mappings[i - 1]?.end ?? 0n))).toBe(true);
    const thread = kernel.tasks().find(({ kernelThread, idle }) => kernelThread && !idle);
    expect(thread?.mappings()).toHaveLength(0);
    expect(init.signals().actions).toHaveLength(64);
  });

  test("the same listener by its socket and by its owner's descriptor", () => {
    const [listener, ...more] = kernel
      .sockets()
      .flatMap((each) => ("sock" in each && each.sock.stateName === "LISTEN" && each.sock.local ? [each] : []));
    expect(more).toEqual([]);
    const { pid, fd } = listener?.owners[0] ?? { pid: -1, fd: -1 };
    const file = kernel
      .task(pid)
      .openFiles()
      .find((each) => each.fd === fd);
    expect(file).toMatchObject({ type: "SOCK", socket: { sock: listener?.sock.address } });
  });

  test("packets and events are read as they are pulled", () => {
    const notes: string[] = [];
    expect([...kernel.packets(notes)].every(({ place }) => place !== "")).toBe(true);
    expect(notes).toEqual([]);
    if (kernel.engine.tryAddress("ftrace_trace_arrays") !== undefined) expect(() => kernel.trace("nowhere")).toThrow(LookupError);
  });

  test("areas given back lie behind those in use", () => {
    if (kernel.engine.tryAddress("linux_banner") === undefined) return;
    const freed = kernel.vmallocAreas().map(({ unpurged }) => unpurged === true);
    expect(freed.lastIndexOf(false)).toBeLessThan(freed.includes(true) ? freed.indexOf(true) : freed.length);
    expect(freed.length).toBeGreaterThan(0);
  });
});
