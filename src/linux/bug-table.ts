/**
 * The kernel's table of BUG() and WARN(): for each trap the file, the line and what it is. It lies in memory, so it tells them without the
 * log and whatever KASLR did. Source: include/asm-generic/bug.h, lib/bug.c (find_bug, bug_get_file_line).
 *
 *   __start___bug_table ─► │ bug_addr_disp │ [format_disp] │ file_disp │ line │ flags │ …        module.bug_table, .num_bugs: the module's
 *                            └ distance from the field itself to the trap
 *
 * file_disp counts from the field itself since 5.19 ("bug: Use normal relative pointers"), from the entry's beginning before.
 * format_disp, and "[condition] file" as the file, since 6.19 (CONFIG_DEBUG_BUGVERBOSE_DETAILED).
 */
import { add, distance, type VirtualAddress } from "../bytes/address.ts";
import { InquestError } from "../bytes/errors.ts";
import type { Kernel } from "../kernel/kernel.ts";

export interface BugEntry {
  /** Where the entry lies. */
  readonly entry: VirtualAddress;
  readonly file?: string;
  /** 0 where the kernel keeps none. */
  readonly line: number;
  /** WARN(), not BUG(). */
  readonly warning: boolean;
  /** WARN_ONCE(). */
  readonly once: boolean;
  /** A WARN_ONCE() that was reported before. */
  readonly done: boolean;
  /** The condition in C, where the kernel keeps it. */
  readonly condition?: string;
  /** What WARN() prints, where the kernel keeps it. */
  readonly format?: string;
}

/** Bits of bug_entry.flags; never changed since they came. */
const WARNING = 1;
const ONCE = 2;
const DONE = 4;

/** More than any kernel has. */
const MAX_ENTRIES = 1 << 18;
const MAX_TEXT = 512;

interface Layout {
  readonly size: number;
  readonly address: number;
  readonly file: number | undefined;
  readonly format: number | undefined;
  readonly line: number | undefined;
  readonly flags: number;
}

function layoutOf(kernel: Kernel): Layout | undefined {
  return kernel.memo(layoutOf, () => {
    const struct = kernel.types.tryStruct("bug_entry");
    const at = (name: string): number | undefined => struct?.tryField(name)?.offset;
    const address = at("bug_addr_disp");
    const flags = at("flags");
    if (struct === undefined || address === undefined || flags === undefined) return undefined;
    return { size: struct.size, address, flags, file: at("file_disp"), format: at("format_disp"), line: at("line") };
  });
}

/** The entry of the trap at an address; undefined when it has none, or the table cannot be found. Never throws for damaged memory. */
export function bugEntryAt(kernel: Kernel, trap: VirtualAddress): BugEntry | undefined {
  const layout = layoutOf(kernel);
  if (layout === undefined) return undefined;
  try {
    for (const { start, bytes } of tablesFor(kernel, trap, layout)) {
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      const far = BigInt.asIntN(64, trap - start);
      if (far > 0x8000_0000n || far < -0x8000_0000n) continue;
      for (let at = 0; at + layout.size <= bytes.length; at += layout.size) {
        const field = at + layout.address;
        if (view.getInt32(field, true) === Number(far) - field) return entryOf(kernel, start, view, at, layout);
      }
    }
  } catch (error) {
    if (!(error instanceof InquestError)) throw error;
  }
  return undefined;
}

/**
 * The entry at an address, for traps that name it in a register: WARN() with a format on x86 since 6.19, `ud1 (%edx),%rdi`
 * (arch/x86/kernel/traps.c, BUG_UD1_WARN). undefined when none of the trap's tables has an entry there.
 */
export function bugEntryNamed(kernel: Kernel, trap: VirtualAddress, named: bigint): BugEntry | undefined {
  const layout = layoutOf(kernel);
  if (layout === undefined) return undefined;
  try {
    for (const { start, bytes } of tablesFor(kernel, trap, layout)) {
      const at = BigInt.asUintN(64, named - start);
      if (at >= BigInt(bytes.length) || at % BigInt(layout.size) !== 0n) continue;
      return entryOf(kernel, start, new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), Number(at), layout);
    }
  } catch (error) {
    if (!(error instanceof InquestError)) throw error;
  }
  return undefined;
}

/** The table of the module that holds the trap, else the kernel's own. */
function tablesFor(kernel: Kernel, trap: VirtualAddress, { size }: Layout) {
  const owner = kernel.symbols.byAddress(trap)?.symbol.module;
  const module = owner === undefined ? undefined : kernel.modules.find(({ name }) => name === owner);
  if (module !== undefined) {
    const struct = kernel.types.struct("module");
    const table = struct.tryField("bug_table")?.pointer(module.address);
    const count = struct.tryField("num_bugs")?.number(module.address) ?? 0;
    if (table === undefined || count === 0) return [];
    return [{ start: table, bytes: kernel.memory.bytes(table, Math.min(count, MAX_ENTRIES) * size) }];
  }
  const start = kernel.tryAddress("__start___bug_table");
  const end = kernel.tryAddress("__stop___bug_table");
  if (start === undefined || end === undefined || end <= start) return [];
  return [{ start, bytes: kernel.memory.bytes(start, Math.min(distance(end, start), MAX_ENTRIES * size)) }];
}

function entryOf(kernel: Kernel, start: VirtualAddress, view: DataView, at: number, layout: Layout): BugEntry {
  const text = (field: number | undefined): string | undefined => {
    if (field === undefined) return undefined;
    const disp = view.getInt32(at + field, true);
    if (disp === 0) return undefined;
    try {
      const from = add(start, at + field + disp);
      // A string begins behind the end of another one; four bytes on is the midst of a file's name.
      const early = add(from, -field);
      const before = (address: VirtualAddress): number | undefined => kernel.memory.tryBytes(add(address, -1), 1)?.[0];
      const isOld = field === layout.file && before(from) !== 0 && before(early) === 0;
      return kernel.memory.cString(isOld ? early : from, MAX_TEXT);
    } catch (error) {
      if (error instanceof InquestError) return undefined;
      throw error;
    }
  };
  const whole = text(layout.file);
  const [, condition, plain = whole] = /^\[(.+)\] (\S+)$/.exec(whole ?? "") ?? [];
  const format = text(layout.format);
  const flags = view.getUint16(at + layout.flags, true);
  return {
    entry: add(start, at),
    ...(plain === undefined || plain === "" ? {} : { file: plain }),
    line: layout.line === undefined ? 0 : view.getUint16(at + layout.line, true),
    warning: (flags & WARNING) !== 0,
    once: (flags & ONCE) !== 0,
    done: (flags & DONE) !== 0,
    ...(condition === undefined ? {} : { condition }),
    ...(format === undefined || format === "" ? {} : { format }),
  };
}
