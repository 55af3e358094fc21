/**
 * The layout of the printk ring as VMCOREINFO tells it (5.10+, log_buf_vmcoreinfo_setup() in kernel/printk/printk.c), for dumps whose type
 * information is missing or cut off: makedumpfile --dump-dmesg lives by the same lines.
 *
 *   OFFSET(printk_ringbuffer.desc_ring)=0   OFFSET(prb_desc_ring.count_bits)=0   SIZE(prb_desc)=24   LENGTH(printk_info_device)=48 …
 *
 * facility and level are not told. They stand behind text_len in every release so far (struct printk_info):
 *
 *   u16 text_len │ u8 facility │ u8 flags:5, level:3
 */

import type { CType } from "../debug-info/c-type.ts";
import type { VmcoreInfo } from "../dump/vmcoreinfo.ts";
import type { Memory } from "../kernel/address-space.ts";
import { Field } from "../kernel/field.ts";
import type { RingLayout } from "./printk-ring.ts";

/** More than any of these structures has bytes; a larger number is damage. */
const MAX_SIZE = 4096;

/** undefined when a line is missing: before 5.10, or no VMCOREINFO of this kernel. */
export function vmcoreinfoRingLayout(memory: Memory, info: VmcoreInfo): RingLayout | undefined {
  let complete = true;
  const told = (value: number | undefined): number => {
    complete &&= value !== undefined && value >= 0 && value <= MAX_SIZE;
    return value ?? 0;
  };
  /** The sum of the offsets of nested members. */
  const offset = (...members: readonly string[]) => members.reduce((sum, member) => sum + told(info.offset(member)), 0);
  const field = (path: string, at: number, type: CType) => new Field(memory, path, at * 8, undefined, type);
  const descRing = (member: string, type: CType) =>
    field(`desc_ring.${member}`, offset("printk_ringbuffer.desc_ring", `prb_desc_ring.${member}`), type);
  const textRing = (member: string, type: CType) =>
    field(`text_data_ring.${member}`, offset("printk_ringbuffer.text_data_ring", `prb_data_ring.${member}`), type);
  const position = (member: string) =>
    field(`text_blk_lpos.${member}`, offset("prb_desc.text_blk_lpos", `prb_data_blk_lpos.${member}`), unsigned(8));
  const text = (member: string) =>
    field(
      `dev_info.${member}`,
      offset("printk_info.dev_info", `dev_printk_info.${member}`),
      characters(told(info.length(`printk_info_${member}`))),
    );
  const length = offset("printk_info.text_len");
  const layout: RingLayout = {
    ring: {
      countBits: descRing("count_bits", unsigned(4)),
      descs: descRing("descs", unsigned(8)),
      infos: descRing("infos", unsigned(8)),
      headId: descRing("head_id", unsigned(8)),
      tailId: descRing("tail_id", unsigned(8)),
      sizeBits: textRing("size_bits", unsigned(4)),
      data: textRing("data", unsigned(8)),
    },
    descriptor: {
      size: told(info.size("prb_desc")),
      state: field("state_var", offset("prb_desc.state_var"), unsigned(8)),
      begin: position("begin"),
      next: position("next"),
    },
    info: {
      size: told(info.size("printk_info")),
      sequence: field("seq", offset("printk_info.seq"), unsigned(8)),
      time: field("ts_nsec", offset("printk_info.ts_nsec"), unsigned(8)),
      length: field("text_len", length, unsigned(2)),
      facility: field("facility", length + 2, unsigned(1)),
      level: new Field(memory, "level", (length + 3) * 8 + 5, 3, unsigned(1)),
      caller: field("caller_id", offset("printk_info.caller_id"), unsigned(4)),
      comm: undefined,
      subsystem: text("subsystem"),
      device: text("device"),
    },
  };
  return complete ? layout : undefined;
}

function unsigned(size: number): CType {
  return { kind: "int", name: `u${size * 8}`, size, signed: false, encoding: "int" };
}

function characters(length: number): CType {
  return { kind: "array", element: { kind: "int", name: "char", size: 1, signed: false, encoding: "char" }, length };
}
