/** `vtop`: the page walk behind a virtual address, the entry's flags, its mapping and its page. */
import type { PageTables } from "../arch/architecture.ts";
import { add, hex16, type PhysicalAddress, physical, type VirtualAddress, virtual } from "../bytes/address.ts";
import { FaultError, UnsupportedError, UsageError } from "../bytes/errors.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { type PageInfo, PageMap, readPage } from "../linux/page.ts";
import type { SwapEntry } from "../linux/pte.ts";
import { type Task, taskAt } from "../linux/task.ts";
import { unlessBroken } from "../linux/until-broken.ts";
import { UserPages } from "../linux/user-pages.ts";
import { findVma, type Vma } from "../linux/vma.ts";
import { vmaName } from "../linux/vma-name.ts";
import { vtopApi } from "./api/memory.ts";
import { defineCommand, type Session } from "./command.ts";
import { parseHex } from "./support/numbers.ts";
import { fileText, swapText } from "./support/page-place-text.ts";
import { centre, mappedEntry, swappedEntry } from "./support/pte-text.ts";
import { taskOperand } from "./support/task-operand.ts";
import { VMA_HEADER, type VmaRow, vmaText } from "./support/vma-text.ts";

export interface WalkLine {
  readonly level: string;
  /** Where the entry lies: a physical address on x86-64, a linear one on arm64, as crash shows them. */
  readonly entryAddress: bigint;
  readonly value: bigint;
}

/** The mapping of the process that holds the address. */
export type VtopMapping = VmaRow;

export interface Vtop {
  readonly virtual: bigint;
  readonly space: "kernel" | "user";
  /** undefined when nothing is mapped. */
  readonly physical?: bigint;
  /** Why the walk ended early. */
  readonly reason?: string;
  /** Virtual address of the top table. */
  readonly directory?: bigint;
  readonly walk: readonly WalkLine[];
  /** The page: its physical start and size. */
  readonly page?: { readonly start: bigint; readonly size: number };
  /** The entry that maps the page. */
  readonly entry?: { readonly value: bigint; readonly flags: readonly string[] };
  readonly mapping?: VtopMapping;
  readonly swap?: SwapEntry;
  /** Where the content of an unmapped page of a file lies. */
  readonly file?: { readonly path: string; readonly offset: bigint };
  readonly pageStruct?: PageInfo;
  /** What could not be shown, one line each. */
  readonly notes: readonly string[];
}

export interface VtopResult {
  readonly machine: string;
  readonly addresses: readonly Vtop[];
}

export const vtop = defineCommand<VtopResult>({
  spec: {
    name: "vtop",
    summary: "virtual to physical address",
    synopsis: ["[-c pid | task] [-u | -k] address…"],
    description: [
      "Translates hexadecimal virtual addresses and shows each step of the page walk, the flags of the entry found, the process's mapping for a user address, and the struct page.",
      "An address in the kernel half is translated by the kernel's page tables, any other by those of the context task.",
    ],
    options: [
      { flag: "-c", argument: "pid | task", help: "translate user addresses by this task's page tables" },
      { flag: "-u", help: "the address is a user address" },
      { flag: "-k", help: "the address is a kernel address" },
    ],
    operands: ["number"],
    examples: [
      ["vtop ffff888003a4c000", "an address of the linear mapping"],
      ["vtop -c 1 7ffd1c3c5000", "an address of process 1"],
    ],
    differences: [
      "An address that is not mapped shows the walk as far as it goes and says at which level it ended.",
      "Every address has the header of its page's row.",
      "A symbol may stand in for a kernel address.",
    ],
  },
  run(session, args) {
    if (args.operands.length === 0) throw new UsageError("usage: vtop [-c pid | task] [-u | -k] address…");
    if (args.has("-u") && args.has("-k")) throw new UsageError("vtop: -u and -k exclude each other");
    const { kernel } = session;
    const chosen = args.value("-c");
    const task = () => (chosen === undefined ? taskAt(kernel, session.context) : taskOperand(kernel, chosen));
    const addresses = args.operands.map((text) => {
      const address = operandAddress(session, text);
      const user = args.has("-u") || (!args.has("-k") && !kernel.arch.isKernelAddress(address));
      return user ? userWalk(kernel, address, task()) : kernelWalk(kernel, address);
    });
    return { machine: kernel.arch.name, addresses };
  },
  api: (session, { operands }) =>
    vtopApi(
      session.kernel,
      operands.map((text) => ({ text, address: operandAddress(session, text) })),
    ),
  *text({ machine, addresses }) {
    for (const [i, address] of addresses.entries()) {
      if (i > 0) yield "";
      yield* vtopText(machine, address);
    }
  },
});

function operandAddress({ kernel }: Session, text: string): VirtualAddress {
  const symbol = /^[A-Za-z_]/.test(text) ? kernel.symbols.byName(text) : undefined;
  return symbol?.address ?? virtual(parseHex(text));
}

function kernelWalk(kernel: Kernel, address: VirtualAddress): Vtop {
  const at = kernel.arch.stripPointer(address);
  const directory = kernel.tryAddress("swapper_pg_dir") ?? kernel.tryAddress("init_top_pgt");
  const found = walked(kernel, kernel.arch.kernelTables, at, directory);
  return { virtual: at, space: "kernel", ...(directory === undefined ? {} : { directory }), ...found, ...pageOf(kernel, found) };
}

function userWalk(kernel: Kernel, address: VirtualAddress, task: Task): Vtop {
  if (task.mm === 0n)
    throw new UnsupportedError(
      `vtop: task ${task.pid} (${task.comm}) is a kernel thread and has no user memory; name a process: vtop -c PID`,
    );
  const directory = kernel.types.struct("mm_struct").field("pgd").pointer(task.mm);
  const pages = new UserPages(kernel, task.mm);
  const found = walked(kernel, pages.tables, address, directory);
  const page = pageOf(kernel, found);
  const notes = [...page.notes];
  const vma = unlessBroken(
    () => findVma(kernel, task.mm, address),
    (error) => notes.push(`its mapping cannot be read: ${error.message}`),
  );
  const { physical: _same, ...elsewhere } = pages.place(address, vma);
  return {
    virtual: address,
    space: "user",
    directory,
    ...found,
    ...(vma === undefined ? {} : { mapping: mappingOf(kernel, task.mm, vma) }),
    ...elsewhere,
    ...page,
    notes,
  };
}

function mappingOf(kernel: Kernel, mm: VirtualAddress, vma: Vma): VtopMapping {
  const name = vmaName(kernel, mm, vma);
  return { vma: vma.address, start: vma.start, end: vma.end, flags: vma.flags, ...(name === undefined ? {} : { name }) };
}

type Walked = Pick<Vtop, "physical" | "reason" | "walk" | "page" | "entry" | "notes">;

function walked(kernel: Kernel, tables: PageTables, address: VirtualAddress, directory: VirtualAddress | undefined): Walked {
  const walk = tables.walk(address);
  const steps = walk.steps.map(({ level, entryAddress, entry }, i) => ({
    level,
    entryAddress: shownAddress(kernel, entryAddress, i === 0 ? directory : undefined),
    value: entry,
  }));
  const leaf = walk.steps.at(-1);
  if (walk.physical === undefined || walk.pageSize === undefined || leaf === undefined) {
    return { walk: steps, notes: [], ...(walk.reason === undefined ? {} : { reason: walk.reason }) };
  }
  return {
    physical: walk.physical,
    walk: steps,
    page: { start: physical(walk.physical & ~(BigInt(walk.pageSize) - 1n)), size: walk.pageSize },
    entry: { value: leaf.entry, flags: kernel.arch.entryFlags(leaf.entry) },
    notes: [],
  };
}

/** crash gives an entry's physical address on x86-64 and its virtual one on arm64, where the top table lies in the kernel image. */
function shownAddress(kernel: Kernel, entry: PhysicalAddress, directory: VirtualAddress | undefined): bigint {
  if (kernel.arch.name === "x86_64") return entry;
  if (directory !== undefined) return add(directory, entry & BigInt(kernel.arch.pageSize - 1));
  return kernel.arch.toLinear(entry) ?? entry;
}

/** The struct page of a translation that succeeded. */
function pageOf(kernel: Kernel, found: Walked): Pick<Vtop, "pageStruct" | "notes"> {
  if (found.physical === undefined) return { notes: found.notes };
  const pfn = Number(found.physical >> BigInt(kernel.arch.pageShift));
  // No struct page beyond the dump's memory: device registers.
  if (pfn >= (PageMap.of(kernel)?.maxPfn ?? 0)) return { notes: found.notes };
  try {
    const pageStruct = readPage(kernel, pfn);
    return { notes: found.notes, ...(pageStruct === undefined ? {} : { pageStruct }) };
  } catch (error) {
    if (!(error instanceof FaultError)) throw error;
    return { notes: [...found.notes, `its struct page cannot be read: ${error.message}`] };
  }
}

function* vtopText(machine: string, vtop: Vtop): Iterable<string> {
  // crash's column is narrower for user addresses, whatever their length.
  const width = vtop.space === "kernel" ? 16 : 10;
  yield `${"VIRTUAL".padEnd(width)}  PHYSICAL`;
  const shown = vtop.virtual.toString(16).padEnd(width);
  if (vtop.physical !== undefined) yield `${shown}  ${vtop.physical.toString(16)}`;
  else yield `${shown}  (not mapped)${vtop.reason === undefined ? "" : `  [${vtop.reason}]`}`;
  yield "";
  yield* walkText(machine, vtop);
  if (vtop.page !== undefined) yield `  PAGE: ${vtop.page.start.toString(16)}${pageSizeText(vtop.page.size)}`;
  yield "";
  if (vtop.entry !== undefined && vtop.page !== undefined) {
    const { value, flags } = vtop.entry;
    yield* mappedEntry(value, vtop.page.start, flags.length === 0 ? "no flags" : flags.join("|"));
    yield "";
  }
  if (vtop.swap !== undefined && vtop.swap.marker === undefined) {
    yield* swappedEntry(vtop.walk.at(-1)?.value ?? 0n, vtop.swap);
    yield "";
  }
  if (vtop.mapping !== undefined) {
    yield VMA_HEADER;
    yield vmaText(vtop.mapping);
    yield "";
  }
  if (vtop.swap !== undefined) yield swapText(vtop.swap);
  if (vtop.file !== undefined) yield fileText(vtop.file);
  if (vtop.pageStruct !== undefined) yield* pageText(vtop.pageStruct);
  for (const note of vtop.notes) yield `(${note})`;
}

function* walkText(machine: string, { space, directory, walk }: Vtop): Iterable<string> {
  const x86Kernel = machine === "x86_64" && space === "kernel";
  if (directory !== undefined) {
    if (x86Kernel) yield `PGD DIRECTORY: ${hex16(directory)}`;
    else if (machine !== "x86_64") yield `PAGE DIRECTORY: ${hex16(directory)}`;
  }
  for (const { level, entryAddress, value } of walk) {
    if (x86Kernel && level === "PGD") yield `PAGE DIRECTORY: ${value.toString(16)}`;
    else yield `   ${level}: ${entryAddress.toString(16)} => ${value.toString(16)}`;
  }
}

function pageSizeText(bytes: number): string {
  const units: readonly (readonly [number, string])[] = [
    [2 ** 40, "TB"],
    [2 ** 30, "GB"],
    [2 ** 20, "MB"],
  ];
  const unit = units.find(([size]) => bytes >= size);
  return unit === undefined ? "" : `  (${bytes / unit[0]}${unit[1]})`;
}

/** The row of a struct page as crash shows it. */
export function* pageText(page: PageInfo): Iterable<string> {
  const at = page.physical.toString(16);
  const wide = Math.max(at.length, 8);
  yield `${centre("PAGE", 16)} ${centre("PHYSICAL", wide)}      MAPPING       INDEX CNT FLAGS`;
  const mapping = page.mapping.toString(16).padStart(16);
  const index = page.index.toString(16).padStart(8);
  yield `${hex16(page.page)} ${at.padStart(wide)} ${mapping} ${index} ${String(page.count).padStart(2)} ${page.flags.toString(16)} ${page.flagNames.join(",")}`.trimEnd();
}
