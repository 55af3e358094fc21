import { describe, expect, test } from "vitest";
import type { Walk } from "../arch/architecture.ts";
import { physical, virtual } from "../bytes/address.ts";
import { memoryUse } from "../linux/mm.ts";
import { type Task, taskTable } from "../linux/task.ts";
import { FakeKernel } from "../linux/testing/fake-kernel.ts";
import { parseArguments } from "./arguments.ts";
import type { Session } from "./command.ts";
import { vm } from "./vm.ts";

const BASE = 0xffff_8880_0000_0000n;
const MM = BASE;
const VMA = (i: number) => BASE + 0x1000n + BigInt(i) * 0x100n;

const TABLE = {
  mm_struct: {
    mmap: [0, "u64"],
    pgd: [8, "u64"],
    brk: [24, "u64"],
    start_brk: [32, "u64"],
    start_stack: [40, "u64"],
  },
  vm_area_struct: {
    vm_start: [0, "u64"],
    vm_end: [8, "u64"],
    vm_next: [16, "u64"],
    vm_flags: [24, "u64"],
    vm_file: [32, "u64"],
    vm_pgoff: [40, "u64"],
    vm_ops: [48, "u64"],
    vm_private_data: [56, "u64"],
  },
  task_struct: { mm: [0, "u64"] },
} as const;

/** A process with mappings at 10000, 20000 and 30000 of two pages each; the first page of each is in memory at its own address. */
function session(): { readonly fake: FakeKernel; text(line: string): string[] } {
  const fake = new FakeKernel(TABLE);
  fake.memory.write(BASE, new Uint8Array(0x2000));
  fake.memory.put64(MM, VMA(0));
  for (const i of [0, 1, 2]) {
    const start = BigInt(i + 1) * 0x10000n;
    const words = [start, start + 0x2000n, i < 2 ? VMA(i + 1) : 0n, 0x8100073n, 0n, 0n];
    for (const [k, word] of words.entries()) fake.memory.put64(VMA(i) + BigInt(k * 8), word);
  }
  const walk = (address: bigint): Walk => {
    const isThere = (address & 0xf000n) === 0n;
    const steps = [{ level: "PTE", entryAddress: physical(0n), entry: isThere ? 1n : 0n }];
    return { steps, physical: isThere ? physical(address) : undefined, pageSize: 4096, reason: undefined };
  };
  Object.defineProperty(fake, "arch", { value: { ...fake.arch, pageTables: () => ({ walk }) } });
  Object.defineProperty(fake.memory, "translate", { value: () => 0n });
  const task = { address: virtual(BASE + 0x1800n), pid: 7, comm: "sleep", cpu: 1, mm: virtual(MM) } as Task;
  const byAddress = new Map([[task.address, task]]);
  fake.memo(taskTable, () => ({ tasks: [task], byAddress, byPid: new Map([[7, task]]), notes: [] }));
  fake.memo(memoryUse, () => new Map([[MM, { residentPages: 3, totalPages: 6 }]]));
  const own = { kernel: fake.kernel, context: task.address } as unknown as Session;
  return { fake, text: (line) => [...vm.text(vm.run(own, parseArguments(vm.spec, line.split(" "), line)), { radix: 10 })] };
}

const ROWS = ["ffff888000001000      10000      12000 8100073", "ffff888000001100      20000      22000 8100073"];

describe("vm", () => {
  test("mappings, and where each page is", () => {
    const { text } = session();
    expect(text("7").slice(0, 6)).toEqual([
      'PID: 7        TASK: ffff888000001800  CPU: 1    COMMAND: "sleep"',
      "       MM               PGD          RSS    TOTAL_VM",
      "ffff888000000000         0           12k      24k",
      "      VMA           START       END     FLAGS FILE",
      ...ROWS,
    ]);
    expect(text(`-P ${VMA(1).toString(16)} 7`).slice(1)).toEqual([
      "      VMA           START       END     FLAGS FILE",
      ROWS[1],
      "VIRTUAL     PHYSICAL",
      "20000          20000",
      "21000       (not mapped)",
    ]);
  });

  test("-R finds flags, pages by user and by physical address", () => {
    const { text } = session();
    expect(text("-R 21fff 7").slice(-3)).toEqual([ROWS[1], "VIRTUAL     PHYSICAL", "21000       (not mapped)"]);
    expect(text("-R 8100073 7")).toHaveLength(7);
    expect(text("-R 777000 7")).toEqual([]);
  });

  test("a chain that leads nowhere or back is told behind the mappings before it", () => {
    const wild = session();
    wild.fake.memory.put64(VMA(1) + 16n, 0x4141_4141_4141_4140n);
    expect(wild.text("7").slice(4, 6)).toEqual(ROWS);
    expect(wild.text("7").at(-1)).toMatch(/^\(the list of its mappings ends early: .*414141/);
    const circle = session();
    circle.fake.memory.put64(VMA(1) + 16n, VMA(0));
    expect(circle.text("-p 7").at(-1)).toMatch(/ends early: .*does not lie behind/);
  });

  test("options that exclude each other", () => {
    expect(() => session().text("-p -m 7")).toThrow(/exclude/);
    expect(() => session().text("-M 0 7")).toThrow(/invalid mm_struct address: 0/);
  });
});
