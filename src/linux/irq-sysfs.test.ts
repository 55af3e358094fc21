import { describe, expect, test } from "vitest";
import { irqsOfSysfs } from "./irq-sysfs.ts";
import { FakeKernel } from "./testing/fake-kernel.ts";

const BASE = 0xffff_8880_0100_0000n;
const NODE = { kernel: BASE, irq: BASE + 0x100n, other: BASE + 0x200n, eleven: BASE + 0x300n, nine: BASE + 0x400n };
const DESC = { eleven: BASE + 0x1000n, nine: BASE + 0x1100n };
const KOBJ = 0x40n;

/** /sys/kernel with "irq" and "mm" in it, /sys/kernel/irq with 9 and 11. */
function sysfs(): FakeKernel {
  const fake = new FakeKernel({
    kobject: { name: [0, "u64"], sd: [48, "u64"] },
    rb_root: { rb_node: [0, "u64"] },
    rb_node: { parent: [0, "u64"], rb_right: [8, "u64"], rb_left: [16, "u64"] },
    kernfs_elem_dir: { subdirs: [0, "u64"], children: [8, "rb_root"] },
    kernfs_node: { name: [16, "u64"], rb: [24, "rb_node"], dir: [64, "kernfs_elem_dir"], priv: [96, "u64"] },
    irq_data: { mask: [0, "u32"], irq: [4, "u32"] },
    irq_desc: { irq_data: [0, "irq_data"], kobj: [Number(KOBJ), "kobject"] },
  });
  const { memory } = fake;
  let text = BASE + 0x2000n;
  const node = (at: bigint, name: string, priv: bigint) => {
    memory.putText(text, `${name}\0`);
    memory.put64(at + 16n, text);
    memory.put64(at + 96n, priv);
    text += 16n;
  };
  fake.symbol("kernel_kobj", BASE + 0x3000n);
  memory.put64(BASE + 0x3000n, BASE + 0x3100n);
  memory.put64(BASE + 0x3100n + 48n, NODE.kernel);
  // Each directory's tree: the first node on top, the second to its left.
  const children = (directory: bigint, top: bigint, left: bigint) => {
    memory.put64(directory + 72n, top + 24n);
    memory.put64(top + 24n + 16n, left + 24n);
    memory.put64(left + 24n, top + 24n);
  };
  node(NODE.irq, "irq", 1n);
  node(NODE.other, "mm", 1n);
  node(NODE.eleven, "11", DESC.eleven + KOBJ);
  node(NODE.nine, "9", DESC.nine + KOBJ);
  children(NODE.kernel, NODE.irq, NODE.other);
  children(NODE.irq, NODE.eleven, NODE.nine);
  memory.put32(DESC.eleven + 4n, 11);
  memory.put32(DESC.nine + 4n, 9);
  return fake;
}

describe("interrupt descriptors by way of /sys/kernel/irq", () => {
  test("by ascending number", () => {
    expect(irqsOfSysfs(sysfs().kernel)).toEqual([
      { irq: 9, address: DESC.nine },
      { irq: 11, address: DESC.eleven },
    ]);
  });

  test("one that has another number than its directory is none", () => {
    const fake = sysfs();
    fake.memory.put32(DESC.nine + 4n, 8);
    expect(irqsOfSysfs(fake.kernel)).toEqual([{ irq: 11, address: DESC.eleven }]);
  });

  test("nothing without the directory, or without the symbol", () => {
    const fake = sysfs();
    fake.memory.putText(BASE + 0x2000n, "iri\0");
    expect(irqsOfSysfs(fake.kernel)).toEqual([]);
    fake.addresses.delete("kernel_kobj");
    expect(irqsOfSysfs(fake.kernel)).toEqual([]);
  });
});
