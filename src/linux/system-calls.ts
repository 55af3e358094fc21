/**
 * The table of system calls: `sys_call_table`, one function pointer per number (arch/x86/entry/syscall_64.c, arch/arm64/kernel/sys.c).
 * Since 6.9 x86-64 dispatches with a switch (1e3ad78334a6) and keeps the table for tracing only.
 */
import { add, distance, type VirtualAddress } from "../bytes/address.ts";
import { LookupError } from "../bytes/errors.ts";
import type { Kernel } from "../kernel/kernel.ts";

/** Numbers end below 600 on both machines today. */
const MAX_CALLS = 2048;

export interface SystemCall {
  readonly number: number;
  readonly address: VirtualAddress;
  /** Function that the entry points to; undefined when it is no known symbol: the table may have been changed. */
  readonly symbol: string | undefined;
}

/** All entries. @throws LookupError when the table is not among the symbols */
export function systemCalls(kernel: Kernel): readonly SystemCall[] {
  const table = kernel.tryAddress("sys_call_table");
  if (table === undefined) throw new LookupError('the table of system calls ("sys_call_table") is not among this kernel\'s symbols');
  const next = kernel.symbols.neighbours(table).next;
  const room = next === undefined ? MAX_CALLS : Math.floor(distance(next.address, table) / 8);
  const calls: SystemCall[] = [];
  for (let number = 0; number < Math.min(room, MAX_CALLS); number++) {
    const address = kernel.memory.tryU64(add(table, number * 8));
    // Padding behind the table's end.
    if (address === undefined || address === 0n) break;
    const found = kernel.symbols.byAddress(address as VirtualAddress);
    calls.push({
      number,
      address: address as VirtualAddress,
      symbol: found !== undefined && found.offset === 0 ? found.symbol.name : kernel.symbolize(address as VirtualAddress),
    });
  }
  return calls;
}
