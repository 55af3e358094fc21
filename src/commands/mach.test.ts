import { describe, expect, it } from "vitest";
import { virtual } from "../bytes/address.ts";
import { PagedKernel } from "../linux/testing/paged-kernel.ts";
import { parseArguments } from "./arguments.ts";
import type { Session } from "./command.ts";
import { type MachineFacts, mach } from "./mach.ts";

const FACTS: MachineFacts = {
  machine: "x86_64",
  memoryBytes: 267_911_168,
  cpus: 2,
  offlineCpus: 1,
  hypervisor: "KVM",
  megahertz: 2596.123,
  hz: 250,
  pageSize: 4096,
  bases: [{ label: "KERNEL VIRTUAL BASE", address: 0xffff_8880_0000_0000n }],
  threadSize: 16384,
  stackLists: [
    {
      kind: "irq",
      size: 16384,
      stacks: [
        { cpu: 0, address: 0xffff_c900_0000_0000n, mapped: true },
        { cpu: 1, address: 0xffff_c900_0000_8000n, mapped: true },
      ],
    },
    { kind: "double fault", size: 8192, stacks: [{ cpu: 0, address: 0xffff_fe00_0000_9000n, mapped: false }] },
  ],
};

describe("mach", () => {
  it("lays the machine out as crash does", () => {
    expect([...mach.text({ facts: FACTS }, { radix: 10 })]).toEqual([
      "          MACHINE TYPE: x86_64",
      "           MEMORY SIZE: 255.5 MB",
      "                  CPUS: 2 [OFFLINE: 1]",
      "            HYPERVISOR: KVM",
      "       PROCESSOR SPEED: 2596 Mhz",
      "                    HZ: 250",
      "             PAGE SIZE: 4096",
      "   KERNEL VIRTUAL BASE: ffff888000000000",
      "     KERNEL STACK SIZE: 16384",
      "        IRQ STACK SIZE: 16384",
      "            IRQ STACKS:",
      "                 CPU 0: ffffc90000000000",
      "                 CPU 1: ffffc90000008000",
      "DOUBLEFAULT STACK SIZE: 8192",
      "    DOUBLEFAULT STACKS:",
      "                 CPU 0: fffffe0000009000 [unavailable]",
    ]);
  });

  it("says what it does not know", () => {
    const { megahertz: _m, hz: _h, hypervisor: _v, ...rest } = FACTS;
    const lines = [...mach.text({ facts: rest }, { radix: 10 })];
    expect(lines).toContain("       PROCESSOR SPEED: (unknown)");
    expect(lines).toContain("                    HZ: (unknown)");
    expect(lines.join("\n")).not.toContain("HYPERVISOR");
  });

  it("names the source of a memory map that is not e820", () => {
    const ranges = [{ start: 0x40000000n, end: 0x50000000n, type: "MEMORY" }];
    const row = "0000000040000000 - 0000000050000000  MEMORY";
    expect([...mach.text({ map: { source: "memblock", ranges } }, { radix: 10 })]).toEqual([
      "(from memblock)",
      "      PHYSICAL ADDRESS RANGE         TYPE",
      row,
    ]);
    expect([...mach.text({ map: { source: "e820_table", ranges } }, { radix: 10 })]).toEqual([
      "      PHYSICAL ADDRESS RANGE         TYPE",
      row,
    ]);
  });

  it("refuses what the machine has not, and says when there is no map", () => {
    const session = { kernel: new PagedKernel({}).kernel } as unknown as Session;
    const run = (line: string) => mach.run(session, parseArguments(mach.spec, line.split(" "), line));
    expect(() => run("-o")).toThrow(/ppc64/);
    expect(() => run("-m")).toThrow(/neither e820_table, memblock nor iomem_resource/);
  });

  it("takes the boot CPU's data where the kernel was built for one", () => {
    const kernel = new PagedKernel({ cpuinfo_x86: { x86: [0, "u8"] } });
    const session = { kernel: kernel.kernel, settings: { radix: 10 } } as unknown as Session;
    const run = () => mach.run(session, parseArguments(mach.spec, ["-c"], "mach -c"));
    expect(run).toThrow('"cpu_info" is not among');
    kernel.symbol("boot_cpu_data", kernel.at(1));
    kernel.memory.put8(kernel.at(1), 15);
    expect(run().cpuInfo?.map(({ cpu }) => cpu)).toEqual([0]);
    // With more CPUs it would be the first one's alone.
    kernel.perCpuOffsets = [virtual(0n), virtual(0x1000n)];
    expect(run).toThrow('"cpu_info" is not among');
  });
});
