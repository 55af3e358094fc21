/**
 * Call sites that ftrace may patch at run time, as the kernel records them (kernel/trace/ftrace.c).
 *
 *   ftrace_pages_start ─► ftrace_page { next, records, index } ─► …       records: dyn_ftrace { ip, flags, … } × index, sorted by ip
 */
import { add, type VirtualAddress, virtual } from "../bytes/address.ts";
import { FaultError } from "../bytes/errors.ts";
import type { Kernel } from "../kernel/kernel.ts";

/** A page group holds at least one page of records; this many are more than 100 million call sites. */
const MAX_GROUPS = 1 << 18;
const MAX_RECORDS = 1 << 26;

interface Group {
  readonly first: VirtualAddress;
  readonly last: VirtualAddress;
  readonly records: VirtualAddress;
  readonly count: number;
}

/** True when ftrace keeps this address as a call site that it may patch; false also when the records cannot be found. */
export function isFtraceSite(kernel: Kernel, address: VirtualAddress): boolean {
  const record = kernel.types.tryStruct("dyn_ftrace");
  const ip = record?.tryField("ip");
  if (record === undefined || ip === undefined) return false;
  for (const { first, last, records, count } of groups(kernel)) {
    if (address < first || address > last) continue;
    let low = 0;
    let high = count - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const at = kernel.memory.tryU64(ip.address(add(records, middle * record.size)));
      if (at === undefined) return false;
      if (at === address) return true;
      if (at < address) low = middle + 1;
      else high = middle - 1;
    }
  }
  return false;
}

function groups(kernel: Kernel): readonly Group[] {
  return kernel.memo(isFtraceSite, () => {
    const found: Group[] = [];
    const group = kernel.types.tryStruct("ftrace_page");
    const ip = kernel.types.tryStruct("dyn_ftrace")?.tryField("ip");
    const size = kernel.types.tryStruct("dyn_ftrace")?.size ?? 0;
    const start = kernel.tryAddress("ftrace_pages_start");
    if (group === undefined || ip === undefined || start === undefined) return found;
    const fields = { next: group.field("next"), records: group.field("records"), count: group.field("index") };
    try {
      let page = virtual(kernel.memory.u64(start));
      const seen = new Set<bigint>();
      for (; page !== 0n && !seen.has(page) && seen.size < MAX_GROUPS; page = fields.next.pointer(page)) {
        seen.add(page);
        const count = fields.count.number(page);
        const records = fields.records.pointer(page);
        if (count <= 0 || count > MAX_RECORDS) continue;
        found.push({ first: ip.pointer(records), last: ip.pointer(add(records, (count - 1) * size)), records, count });
      }
    } catch (error) {
      // What was read before the hole still serves.
      if (!(error instanceof FaultError)) throw error;
    }
    return found;
  });
}
