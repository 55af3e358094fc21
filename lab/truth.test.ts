import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { repositoryRoot } from "./paths.ts";
import { openTruth, Truth } from "./truth.ts";
import { bundleTruth, parseBundle, type TruthFiles } from "./truth-files.ts";

function filesOf(entries: Readonly<Record<string, string>>): TruthFiles {
  return {
    read: (path) => entries[path],
    list: (path) => [
      ...new Set(
        Object.keys(entries)
          .filter((name) => path === "" || name.startsWith(`${path}/`))
          .map((name) => (path === "" ? name : name.slice(path.length + 1)).split("/")[0]!),
      ),
    ],
  };
}

const STATUS =
  "Name:\tworkers\nState:\tS (sleeping)\nTgid:\t112\nPid:\t113\nPPid:\t1\nUid:\t0\t0\t0\t0\nVmSize:\t    2496 kB\nThreads:\t7\n";

describe("truth", () => {
  const truth = new Truth(
    filesOf({
      "proc/modules": "lab_irq 16384 0 - Live 0xffffffffc02c1000 (OE)\nvirtio 16384 3 virtio_blk,virtio_pci, Live 0xffffffffc0111000\n",
      "sys/module/lab_irq/sections/.text": "0xffffffffc02c1000\n",
      "proc/mounts": "lab-ro /mnt/with\\040space tmpfs ro,nosuid 0 0\n",
      "proc/kallsyms": "ffffffff81000000 T _text\n0000000000000000 A first\nffffffffc02c1000 t fn\t[lab_irq]\n",
      "proc/112/status": STATUS.replace("Pid:\t113", "Pid:\t112"),
      "proc/112/task/113/status": STATUS,
      "proc/112/task/112/stack": "[<0>] do_sys_poll+0x1/0x2\n",
      "proc/112/task/113/stack": "[<0>] futex_wait+0x3/0x4\n",
      "proc/112/cmdline": "/lab/workers\0--of\0the lab\0",
      "proc/112/maps": "00400000-00401000 r--p 00000000 00:02 49 /lab/workers\n",
      dmesg: "[    1.0] lab_objects: list ffffffffc033c000 1000\n",
    }),
  );

  it("reads modules with their sections", () => {
    const [irq, virtio] = truth.modules();
    expect(irq).toMatchObject({ name: "lab_irq", size: 16384, address: 0xffffffffc02c1000n, taint: "OE", usedBy: [] });
    expect(irq?.sections.get(".text")).toBe(0xffffffffc02c1000n);
    expect(virtio).toMatchObject({ references: 3, usedBy: ["virtio_blk", "virtio_pci"], taint: "" });
  });

  it("reads every thread once", () => {
    expect(truth.tasks().map((task) => [task.tid, task.tgid, task.comm, task.state, task.vmSize])).toEqual([
      [112, 112, "workers", "S", 2496],
      [113, 112, "workers", "S", 2496],
    ]);
    expect(truth.stacks().get(113)?.[0]?.name).toBe("futex_wait");
    expect(truth.words(112, "cmdline")).toEqual(["/lab/workers", "--of", "the lab"]);
    expect(truth.mappings(112)[0]).toMatchObject({ start: 0x400000n, path: "/lab/workers" });
  });

  it("sorts symbols and undoes escapes", () => {
    const symbols = truth.kallsyms();
    expect([...symbols.addresses]).toEqual([0n, 0xffffffff81000000n, 0xffffffffc02c1000n]);
    expect(symbols.modules).toEqual([undefined, undefined, "lab_irq"]);
    expect(truth.mounts()[0]?.path).toBe("/mnt/with space");
    expect(truth.objects().get("list")).toEqual({ address: 0xffffffffc033c000n, count: 1000 });
  });

  it("survives being bundled into one text", () => {
    const text = bundleTruth(filesOf({ "proc/version": "Linux\n", "proc/1/stack": "" }), (_, content) => content);
    expect([...parseBundle(text)]).toEqual([["proc/version", "Linux\n"]]);
  });
});

describe("the samples' truth", () => {
  it("names the dead and where they died", () => {
    const dir = join(repositoryRoot(), "samples", "arm64-null-pointer");
    const sample = openTruth(join(dir, "truth.txt"), join(dir, "console.log.txt"));
    expect(sample.panic()).toMatchObject({ comm: "init", instruction: { name: "lab_fault_map_segment", module: "lab_fault" } });
    expect(sample.modules().map((module) => module.name)).toContain("lab_fault");
    expect(sample.tasks().some((task) => task.comm === "w-futex")).toBe(true);
  });

  it("has the stacks of the hung tasks", () => {
    const sample = openTruth(join(repositoryRoot(), "samples", "x86-64-hung-tasks", "truth.txt"));
    const waiter = sample.tasks().find((task) => task.comm === "lab-ab")!;
    expect(waiter.state).toBe("D");
    expect(
      sample
        .stacks()
        .get(waiter.tid)
        ?.map((frame) => frame.name),
    ).toContain("lab_hang_take_both");
  });
});
