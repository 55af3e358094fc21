/**
 * The ORC unwind tables of the kernel and of its modules, searched where they lie in the dump.
 * Source: arch/x86/kernel/unwind_orc.c, arch/x86/include/asm/module.h, include/asm-generic/vmlinux.lds.h (ORC_UNWIND_TABLE).
 *
 *   kernel   __start_orc_unwind_ip … __stop_orc_unwind_ip   s32 each        __start_orc_unwind   6 bytes each
 *            __start_orc_header   20 bytes: hash of the format (6.4 on; otherwise the entries tell)
 *   module   struct module.arch { num_orcs, orc_unwind_ip, orc_unwind }
 */
import { distance, type VirtualAddress } from "../bytes/address.ts";
import { FaultError, FormatError } from "../bytes/errors.ts";
import { type OrcEntry, OrcTable } from "../debug-info/orc.ts";
import type { Kernel } from "./kernel.ts";

interface CoveredTable {
  readonly start: bigint;
  readonly end: bigint;
  readonly table: OrcTable;
}

const MEMO_LIMIT = 1 << 16;

export class OrcTables {
  readonly #kernel: Kernel;
  #tables: readonly CoveredTable[] | undefined;
  readonly #memo = new Map<bigint, OrcEntry | null>();
  readonly #problems: string[] = [];
  #incomplete = false;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  /** True when the kernel carries ORC tables (CONFIG_UNWINDER_ORC, x86-64). */
  get present(): boolean {
    return this.#all().length > 0;
  }

  /** Entries in all tables. */
  get count(): number {
    return this.#all().reduce((sum, covered) => sum + covered.table.count, 0);
  }

  /** Tables that are there and could not be used, one line each. */
  get problems(): readonly string[] {
    this.#all();
    return this.#problems;
  }

  /** The entry that covers a pc; undefined where no table covers it or the table's page cannot be read. */
  find(pc: VirtualAddress): OrcEntry | undefined {
    const known = this.#memo.get(pc);
    if (known !== undefined) return known ?? undefined;
    let found: OrcEntry | undefined;
    for (const covered of this.#all()) {
      if (pc < covered.start || pc >= covered.end) continue;
      found = this.#look(covered.table, pc);
      break;
    }
    if (this.#memo.size > MEMO_LIMIT) this.#memo.clear();
    this.#memo.set(pc, found ?? null);
    return found;
  }

  #look(table: OrcTable, pc: VirtualAddress): OrcEntry | undefined {
    try {
      return table.find(pc);
    } catch (error) {
      if (!(error instanceof FaultError)) throw error;
      if (!this.#incomplete) this.#kernel.note(`parts of the unwind tables are missing, and stacks may end early: ${error.message}`);
      this.#incomplete = true;
      return undefined;
    }
  }

  #all(): readonly CoveredTable[] {
    if (this.#tables !== undefined) return this.#tables;
    const tables: CoveredTable[] = [];
    // Set before the modules are asked: reading them may symbolize.
    this.#tables = tables;
    const own = this.#kernelTable();
    if (own !== undefined) tables.push(own, ...this.#moduleTables(own.table));
    return tables;
  }

  #kernelTable(): CoveredTable | undefined {
    const ip = this.#kernel.tryAddress("__start_orc_unwind_ip");
    const stop = this.#kernel.tryAddress("__stop_orc_unwind_ip");
    const entries = this.#kernel.tryAddress("__start_orc_unwind");
    if (ip === undefined || stop === undefined || entries === undefined || stop <= ip) return undefined;
    return this.#open("the kernel's ORC table", () => {
      const at = { ip, entries, count: distance(stop, ip) >> 2 };
      const table = OrcTable.open(this.#kernel.memory, at, this.#kernel.tryAddress("__start_orc_header"));
      // The table reaches over init text too; a pc beyond the image would wrongly find its last entry.
      const end = this.#kernel.tryAddress("_end") ?? this.#kernel.tryAddress("_etext") ?? table.address(table.count - 1);
      return { start: table.address(0), end, table };
    });
  }

  #moduleTables(own: OrcTable): CoveredTable[] {
    const struct = this.#kernel.types.tryStruct("module");
    const ip = struct?.tryField("arch.orc_unwind_ip");
    const entries = struct?.tryField("arch.orc_unwind");
    const count = struct?.tryField("arch.num_orcs");
    const tables: CoveredTable[] = [];
    if (ip === undefined || entries === undefined || count === undefined) return tables;
    for (const module of this.#kernel.modules) {
      const table = this.#open(`the ORC table of module ${module.name}`, () => {
        const at = { ip: ip.pointer(module.address), entries: entries.pointer(module.address), count: count.number(module.address) };
        return at.ip === 0n || at.entries === 0n || at.count === 0 ? undefined : new OrcTable(this.#kernel.memory, at, own.version);
      });
      if (table === undefined) continue;
      for (const region of module.regions) {
        if (!["text", "init_text", "core", "init"].includes(region.kind)) continue;
        tables.push({ start: region.start, end: region.start + BigInt(region.size), table });
      }
    }
    return tables;
  }

  #open<T>(what: string, open: () => T | undefined): T | undefined {
    try {
      return open();
    } catch (error) {
      if (!(error instanceof FaultError) && !(error instanceof FormatError)) throw error;
      const problem = `${what} cannot be used: ${error.message}`;
      this.#problems.push(problem);
      this.#kernel.note(problem);
      return undefined;
    }
  }
}
