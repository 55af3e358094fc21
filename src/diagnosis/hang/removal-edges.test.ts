import { expect, test } from "vitest";
import { virtual } from "../../bytes/address.ts";
import { FakeKernel } from "../../linux/testing/fake-kernel.ts";
import { removalEdges } from "./removal-edges.ts";
import type { Standstill } from "./standstill.ts";
import { lockTaskNamed, stackOfNames, task } from "./testing/made.ts";

const at = (offset: number) => 0xffff_8000_0000_0000n + BigInt(offset);
const [FILES, TABLE, SLOTS, FILE, SEQUENCE, OPEN, NODE, NAME] = [1, 2, 3, 4, 5, 6, 7, 8].map((page) => at(page * 0x1000)) as [
  bigint,
  bigint,
  bigint,
  bigint,
  bigint,
  bigint,
  bigint,
  bigint,
];
const [remover, reader] = [lockTaskNamed("hotplugd", 7), lockTaskNamed("snmpd", 9)];

/** @param active kernfs_node.active */
function still(active: number, names: readonly string[]): Standstill {
  const fake = new FakeKernel({
    task_struct: { files: [0, "u64"] },
    files_struct: { fdt: [0, "u64"] },
    fdtable: { max_fds: [0, "u32"], fd: [8, "u64"] },
    file: { private_data: [0, "u64"] },
    seq_file: { private: [0, "u64"] },
    kernfs_open_file: { kn: [0, "u64"], file: [8, "u64"] },
    kernfs_node: { active: [4, "u32"], name: [8, "u64"] },
  });
  const put = (where: bigint, value: bigint) => fake.memory.put64(where, value);
  put(reader.address, FILES);
  put(FILES, TABLE);
  fake.memory.put32(TABLE, 2);
  put(TABLE + 8n, SLOTS);
  put(SLOTS, 0n);
  put(SLOTS + 8n, FILE);
  put(FILE, SEQUENCE);
  put(SEQUENCE, OPEN);
  put(OPEN, NODE);
  put(OPEN + 8n, FILE);
  fake.memory.put32(NODE + 4n, active);
  put(NODE + 8n, NAME);
  fake.memory.putText(NAME, "port2\0");
  const stacks = new Map([
    [remover.address, stackOfNames("schedule", "kernfs_drain", "__kernfs_remove", "sw_unplug [sw]")],
    [reader.address, stackOfNames(...names)],
  ]);
  const lock = { holders: [{ task: remover, certainty: "exact" }], waits: [{ task: reader, verified: true }] };
  return {
    kernel: fake.kernel,
    report: { locks: [lock], unknown: [] },
    task: (address: bigint) => task({ address: virtual(address), pid: address === reader.address ? 9 : 7, comm: "t" }),
    stack: ({ address }: { address: typeof remover.address }) => stacks.get(address),
    mentions: (address: bigint, word: bigint) => address === remover.address && word === NODE,
  } as unknown as Standstill;
}
const READS = ["schedule", "__mutex_lock", "sw_show [sw]", "sysfs_kf_seq_show", "seq_read_iter"];

test("who removes a node waits for who is in a call on a file of it", () => {
  const [edge, ...more] = removalEdges(still(-(2 ** 31) + 2, READS));
  expect(more).toEqual([]);
  expect(edge).toMatchObject({ from: { address: remover.address }, to: { address: reader.address }, certainty: "exact" });
  expect(edge?.evidence[0]?.values).toEqual([{ address: NODE + 4n, value: 0x8000_0002n }]);
});

test("a node that counts more users than are known leaves it likely", () => {
  expect(removalEdges(still(-(2 ** 31) + 3, READS))[0]?.certainty).toBe("likely");
});

test("a node that is not being removed, and a task that is in no call on it, hold nobody up", () => {
  expect(removalEdges(still(1, READS))).toEqual([]);
  expect(removalEdges(still(-(2 ** 31) + 2, ["schedule", "__mutex_lock", "sw_write [sw]", "vfs_write"]))).toEqual([]);
});
