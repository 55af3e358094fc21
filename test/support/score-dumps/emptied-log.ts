/**
 * Edits that empty the printk ring (5.10 and later): every descriptor becomes reusable, as when the ring had wrapped over what it told and
 * the new text had been taken away. What the kernel says of its own death is then nowhere.
 */
import { add, virtual } from "../../../src/bytes/address.ts";
import type { Kernel } from "../../../src/kernel/kernel.ts";
import { type Edit, editsAt } from "./overlay.ts";

/** desc_reusable in the two highest bits of state_var. */
const REUSABLE = 3n << 62n;
/** Text behind the descriptors is overwritten as well: a search through memory must not find it. */
const BLANK = 0x20;

/** Nothing where this kernel keeps its log in another way. */
export function emptiedLog(kernel: Kernel): readonly Edit[] {
  const pointer = kernel.tryAddress("prb");
  const ring = kernel.types.tryStruct("printk_ringbuffer");
  const descriptor = kernel.types.tryStruct("prb_desc");
  const state = descriptor?.firstField("state_var.counter", "state_var");
  if (pointer === undefined || ring === undefined || descriptor === undefined || state === undefined) return [];
  const address = virtual(kernel.memory.u64(pointer));
  const count = 2 ** ring.field("desc_ring.count_bits").number(address);
  const descs = ring.field("desc_ring.descs").pointer(address);
  const bytes = kernel.memory.bytes(descs, count * descriptor.size);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < count; i++) {
    const at = i * descriptor.size + state.offset;
    view.setBigUint64(at, view.getBigUint64(at, true) | REUSABLE, true);
  }
  const data = ring.field("text_data_ring.data").pointer(address);
  const size = 2 ** ring.field("text_data_ring.size_bits").number(address);
  return [...editsAt(kernel, descs, bytes), ...editsAt(kernel, add(data, 0), new Uint8Array(size).fill(BLANK))];
}
