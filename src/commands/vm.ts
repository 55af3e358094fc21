/** `vm`: the user memory of tasks: their mappings, and where each page of them is. */
import { add, type VirtualAddress, virtual } from "../bytes/address.ts";
import { type InquestError, UsageError } from "../bytes/errors.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { memoryUse } from "../linux/mm.ts";
import { type Task, taskAt } from "../linux/task.ts";
import { unlessBroken, untilBroken } from "../linux/until-broken.ts";
import { type PagePlace, UserPages } from "../linux/user-pages.ts";
import { type Vma, vmas } from "../linux/vma.ts";
import { vmaFlagNames } from "../linux/vma-flags.ts";
import { vmaName } from "../linux/vma-name.ts";
import { vmApi } from "./api/views.ts";
import type { ParsedArguments } from "./arguments.ts";
import { defineCommand, type Session } from "./command.ts";
import { lazy } from "./support/lazy.ts";
import { parseHex } from "./support/numbers.ts";
import { chosenRadix } from "./support/radix.ts";
import { resolveStruct } from "./support/struct-name.ts";
import { type ObjectValue, readObject } from "./support/struct-object.ts";
import { taskHeader } from "./support/task-header.ts";
import { taskOperand } from "./support/task-operand.ts";
import { valueReader } from "./support/value-reader.ts";
import type { VmaRow } from "./support/vma-text.ts";
import { mappingsText, structuresText } from "./vm/text.ts";

/** A mapping; with -p, -P and -R its pages. */
export interface VmMapping extends VmaRow {
  readonly flagNames: readonly string[];
  /** Read as they are pulled. */
  readonly pages?: Iterable<VmPage>;
}

export interface VmPage extends PagePlace {
  readonly virtual: bigint;
}

export interface VmTask {
  readonly task: Pick<Task, "pid" | "comm" | "address" | "cpu">;
  /** 0 for a kernel thread. */
  readonly mm: bigint;
  readonly pgd: bigint;
  readonly rssKiB: number;
  readonly totalKiB: number;
  readonly mappings?: Iterable<VmMapping>;
  /** -m: the mm_struct; -v: each vm_area_struct. */
  readonly structures?: Iterable<{ readonly name: string; readonly object: ObjectValue }>;
  /** What cannot be read; grows while the mappings are pulled. */
  readonly notes: readonly string[];
}

export interface VmResult {
  readonly tasks?: Iterable<VmTask>;
  /** -P: only the mapping. */
  readonly single?: true;
  readonly radix?: 10 | 16;
  /** -f */
  readonly flags?: readonly { readonly value: bigint; readonly names: readonly string[] }[];
}

const SYNOPSIS = ["[-p | -P vma | -v | -m | -R reference] [-M mm] [-x | -d] [pid | task]…", "-f flags…"];
const MODES = ["-p", "-P", "-v", "-m", "-R", "-f"];

export const vm = defineCommand<VmResult>({
  spec: {
    name: "vm",
    summary: "user memory of tasks",
    synopsis: SYNOPSIS,
    description: [
      "Shows the mm_struct of the context task, or of the tasks named, its page directory, resident and total size, and its mappings: the vm_area_struct, where it starts and ends, its flags, and its file or name as /proc/PID/maps has them.",
      "-p adds where each page is: its physical address, its slot in a swap area, its place in the file that it would be read from, or not mapped. -R shows only what refers to a number (address of the mm, page directory, a mapping or a page in it, physical address of a page, flags) or to a part of a file's path or of a name.",
    ],
    options: [
      { flag: "-p", help: "where each page is" },
      { flag: "-P", argument: "vma", help: "the same of one mapping, by the address of its vm_area_struct" },
      { flag: "-R", argument: "reference", help: "only what refers to this number or file" },
      { flag: "-v", help: "each vm_area_struct whole" },
      { flag: "-m", help: "the mm_struct whole" },
      { flag: "-M", argument: "mm", help: "take this mm_struct: for a task that is exiting and has given up its own" },
      { flag: "-f", argument: "flags", help: "the bits of a value of vm_flags by name" },
      { flag: "-x", help: "with -m and -v: numbers in hexadecimal" },
      { flag: "-d", help: "with -m and -v: numbers in decimal" },
    ],
    operands: ["task"],
    examples: [
      ["vm 1", "the mappings of pid 1"],
      ["vm -p 1", "where each of its pages is"],
      ["foreach vm -R libc", "who maps a library"],
      ["vm -f 8100073", "flags by name"],
    ],
    differences: [
      "Memory without a file has the name that /proc/PID/maps shows: [heap], [stack], [vdso].",
      "-f has the names that the dump's own kernel gives the bits.",
      "-M shows the sizes of the mm that was named.",
      "-R finds mappings by their names too: -R [heap].",
    ],
  },
  run(session, args) {
    const { kernel } = session;
    const [mode, ...more] = MODES.filter((flag) => args.has(flag));
    // -R says by itself which pages it shows.
    const excess = more.filter((flag) => !(mode === "-p" && flag === "-R"));
    if (excess.length > 0) throw new UsageError(`${mode} and ${excess.join(", ")} exclude each other`);
    if (mode === "-f") {
      const values = [args.value("-f") as string, ...args.operands].map(parseHex);
      return { flags: values.map((value) => ({ value, names: vmaFlagNames(kernel, value) })) };
    }
    const chosen =
      args.operands.length === 0 ? [taskAt(kernel, session.context)] : args.operands.map((operand) => taskOperand(kernel, operand));
    const radix = chosenRadix(args);
    return {
      tasks: lazy(function* () {
        for (const task of chosen) {
          const answer = vmOf(session, task, args);
          if (answer !== undefined) yield answer;
        }
      }),
      ...(args.has("-P") ? { single: true } : {}),
      ...(radix === undefined ? {} : { radix }),
    };
  },
  api: vmApi,
  *text({ tasks, single, radix, flags }, layout) {
    for (const { value, names } of flags ?? []) yield `${value.toString(16)}: (${names.join("|")})`;
    let first = true;
    for (const task of tasks ?? []) {
      if (!first) yield "";
      first = false;
      yield taskHeader(task.task);
      if (task.structures !== undefined) yield* structuresText(task.structures, radix ?? layout.radix);
      else yield* mappingsText(task, single === true);
      for (const note of task.notes) yield `(${note})`;
    }
  },
});

/** undefined with -R where nothing refers to it. */
function vmOf(session: Session, task: Task, args: ParsedArguments): VmTask | undefined {
  const { kernel } = session;
  const { pid, comm, address, cpu } = task;
  const notes: string[] = [];
  const named = args.value("-M");
  const mm = named === undefined ? task.mm : virtual(parseHex(named));
  if (named !== undefined && !kernel.arch.isKernelAddress(mm)) throw new UsageError(`invalid mm_struct address: ${named}`);
  const brief = { pid, comm, address, cpu };
  if (mm === 0n) {
    if (args.has("-R")) return undefined;
    return {
      task: brief,
      mm,
      pgd: 0n,
      rssKiB: 0,
      totalKiB: 0,
      ...(args.has("-m") || args.has("-v") ? { structures: [] } : { mappings: [] }),
      notes,
    };
  }
  const struct = kernel.types.struct("mm_struct");
  // What is no mm_struct at all is an error of the one who named it.
  const pgd = struct.field("pgd").pointer(mm);
  if (named !== undefined) kernel.memory.translate(pgd);
  const kib = kernel.arch.pageSize / 1024;
  const use = unlessBroken(
    () => memoryUse(kernel, mm),
    (error) => notes.push(`its sizes cannot be read: ${error.message}`),
  );
  const head = { task: brief, mm, pgd, rssKiB: (use?.residentPages ?? 0) * kib, totalKiB: (use?.totalPages ?? 0) * kib };
  if (args.has("-m")) return { ...head, structures: lazy(() => structuresOf(session, "mm_struct", [mm])), notes };
  if (args.has("-v"))
    return { ...head, structures: lazy(() => structuresOf(session, "vm_area_struct", addresses(kernel, mm, notes))), notes };
  const walk = new Walk(session, mm, notes, use?.totalPages ?? 0);
  const reference = args.value("-R");
  if (reference !== undefined) {
    const found = [...walk.referring(reference)];
    const isHead = isAddress(reference) && [mm, pgd].includes(virtual(parseHex(reference)));
    return found.length === 0 && !isHead ? undefined : { ...head, mappings: found, notes };
  }
  const one = args.value("-P");
  const only = one === undefined ? undefined : virtual(parseHex(one));
  return { ...head, mappings: lazy(() => walk.mappings(args.has("-p") || only !== undefined, only)), notes };
}

function* addresses(kernel: Kernel, mm: VirtualAddress, notes: string[]): Generator<VirtualAddress> {
  notes.length = 0;
  for (const { address } of untilBroken(vmas(kernel, mm), (error) => notes.push(error.message))) yield address;
}

function* structuresOf(
  session: Session,
  name: string,
  at: Iterable<VirtualAddress>,
): Generator<{ readonly name: string; readonly object: ObjectValue }> {
  const reader = valueReader(session);
  const struct = resolveStruct(session.kernel, name, "struct");
  for (const address of at) yield { name, object: readObject(reader, struct, address) };
}

const isAddress = (text: string): boolean => /^(0x)?[0-9a-f]{1,16}$/i.test(text);

/** The mappings of one process and their pages. */
class Walk {
  readonly #session: Session;
  readonly #mm: VirtualAddress;
  readonly #notes: string[];
  readonly #total: number;
  readonly #pages: UserPages | undefined;
  #done = 0;

  constructor(session: Session, mm: VirtualAddress, notes: string[], total: number) {
    this.#session = session;
    this.#mm = mm;
    this.#notes = notes;
    this.#total = total;
    this.#pages = unlessBroken(
      () => new UserPages(session.kernel, mm),
      (error) => notes.push(`its page tables cannot be read: ${error.message}`),
    );
  }

  *mappings(withPages: boolean, only?: VirtualAddress): Generator<VmMapping> {
    for (const vma of this.#vmas()) {
      if (only !== undefined && vma.address !== only) continue;
      const row = this.#row(vma);
      yield withPages ? { ...row, pages: lazy(() => this.#places(vma)) } : row;
    }
  }

  /** Mappings that the reference names, with the pages that it names. */
  *referring(text: string): Generator<VmMapping> {
    const value = isAddress(text) ? parseHex(text) : undefined;
    for (const vma of this.#vmas()) {
      const row = this.#row(vma);
      const pages = value === undefined ? [] : this.#pagesAt(vma, value);
      const isNamed = vma.address === value || vma.flags === value || row.name?.includes(text) === true;
      if (pages.length > 0) yield { ...row, pages };
      else if (isNamed) yield row;
    }
  }

  *#vmas(): Generator<Vma> {
    const told = (error: InquestError) => {
      const note = `the list of its mappings ends early: ${error.message}`;
      if (!this.#notes.includes(note)) this.#notes.push(note);
    };
    yield* untilBroken(vmas(this.#session.kernel, this.#mm), told);
  }

  #row(vma: Vma): VmMapping {
    const { kernel } = this.#session;
    const name = vmaName(kernel, this.#mm, vma);
    const flagNames = vmaFlagNames(kernel, vma.flags);
    return { vma: vma.address, start: vma.start, end: vma.end, flags: vma.flags, flagNames, ...(name === undefined ? {} : { name }) };
  }

  *#places(vma: Vma): Generator<VmPage> {
    const pages = this.#pages;
    if (pages === undefined) return;
    const step = BigInt(this.#session.kernel.arch.pageSize);
    for (let at = vma.start; at < vma.end; at = add(at, step)) {
      if ((this.#done++ & 0x3ff) === 0) this.#session.progress?.("translating pages", this.#done, this.#total);
      yield { virtual: at, ...pages.place(at, vma) };
    }
  }

  #pagesAt(vma: Vma, value: bigint): readonly VmPage[] {
    const mask = ~BigInt(this.#session.kernel.arch.pageSize - 1);
    const page = virtual(value & mask);
    const pages = this.#pages;
    if (pages === undefined) return [];
    if (value >= vma.start && value < vma.end) return [{ virtual: page, ...pages.place(page, vma) }];
    // A page frame is named by its address, and none is 0.
    if (value === 0n || page !== value || vma.address === value || vma.flags === value) return [];
    return [...this.#places(vma)].filter(({ physical }) => physical === value);
  }
}
