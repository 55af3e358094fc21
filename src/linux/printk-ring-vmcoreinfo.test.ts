import { describe, expect, test } from "vitest";
import { virtual } from "../bytes/address.ts";
import { VmcoreInfo } from "../dump/vmcoreinfo.ts";
import { vmcoreinfoRingLayout } from "./printk-ring-vmcoreinfo.ts";
import { FakeMemory } from "./testing/fake-kernel.ts";

/** As Linux 6.1 writes them, with the nested structures moved so that a forgotten term shows. */
const LINES = `
SIZE(printk_ringbuffer)=88
OFFSET(printk_ringbuffer.desc_ring)=8
OFFSET(printk_ringbuffer.text_data_ring)=48
OFFSET(prb_desc_ring.count_bits)=0
OFFSET(prb_desc_ring.descs)=8
OFFSET(prb_desc_ring.infos)=16
OFFSET(prb_desc_ring.head_id)=24
OFFSET(prb_desc_ring.tail_id)=32
SIZE(prb_desc)=24
OFFSET(prb_desc.state_var)=0
OFFSET(prb_desc.text_blk_lpos)=8
OFFSET(prb_data_blk_lpos.begin)=0
OFFSET(prb_data_blk_lpos.next)=8
SIZE(printk_info)=88
OFFSET(printk_info.seq)=0
OFFSET(printk_info.ts_nsec)=8
OFFSET(printk_info.text_len)=16
OFFSET(printk_info.caller_id)=20
OFFSET(printk_info.dev_info)=24
OFFSET(dev_printk_info.subsystem)=0
LENGTH(printk_info_subsystem)=16
OFFSET(dev_printk_info.device)=16
LENGTH(printk_info_device)=48
OFFSET(prb_data_ring.size_bits)=0
OFFSET(prb_data_ring.data)=8
`;

const layoutOf = (text: string, memory = new FakeMemory()) => vmcoreinfoRingLayout(memory, new VmcoreInfo(text));

describe("the ring's layout by VMCOREINFO", () => {
  test("adds up nested offsets", () => {
    const layout = layoutOf(LINES);
    expect(Object.values(layout?.ring ?? {}).map(({ offset, size }) => [offset, size])).toEqual([
      [8, 4],
      [16, 8],
      [24, 8],
      [32, 8],
      [40, 8],
      [48, 4],
      [56, 8],
    ]);
    expect(layout?.descriptor).toMatchObject({ size: 24, state: { offset: 0 }, begin: { offset: 8 }, next: { offset: 16 } });
    expect(layout?.info).toMatchObject({ size: 88, length: { offset: 16, size: 2 }, device: { offset: 40, size: 48 } });
  });

  test("takes facility and level from behind the text's length", () => {
    const memory = new FakeMemory();
    const at = 0xffff_8000_0000_0000n;
    memory.write(at, new Uint8Array(88));
    memory.put32(at + 16n, (0b110_00000 << 24) | (3 << 16) | 9);
    const info = layoutOf(LINES, memory)?.info;
    expect([info?.length, info?.facility, info?.level].map((field) => field?.number(virtual(at)))).toEqual([9, 3, 6]);
  });

  test("is none when a line is missing or no size at all", () => {
    expect(layoutOf(LINES.replace("LENGTH(printk_info_device)=48", "LENGTH(printk_info_device)=1000000000"))).toBeUndefined();
    expect(layoutOf("OSRELEASE=5.4.0")).toBeUndefined();
    expect(layoutOf(LINES.replace(/OFFSET\(prb_desc.state_var\).*\n/, ""))).toBeUndefined();
  });
});
