/**
 * Which addresses are code, and what to call them: the kernel's text, the text of modules, and code that the kernel wrote itself (BPF
 * programs, ftrace trampolines).
 *
 *   _text … _etext       kernel text (with .entry.text, .sched.text and the like)
 *   _sinittext … _einittext   init text: only of use for dumps of a boot
 *   struct module.mem[MOD_TEXT] (6.4 on), core_layout.base + text_size (before)
 *   bpf_kallsyms ⇄ struct bpf_ksym.lnode { start, end, name }     5.7 on (commit bfea9a8574f3)
 */
import { distance, type VirtualAddress, virtual } from "../bytes/address.ts";
import { InquestError } from "../bytes/errors.ts";
import { containerOf } from "../kernel/field.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { ftraceTrampolines } from "./ftrace-trampolines.ts";

/** A place in code by name. */
export interface CodePlace {
  readonly function: string;
  readonly offset: number;
  readonly module: string | undefined;
  /** Start of the function. */
  readonly start: VirtualAddress;
}

interface CodeRange {
  readonly start: bigint;
  readonly end: bigint;
  /** Name of generated code, which no symbol table has. */
  readonly name: string | undefined;
  readonly module?: string;
}

const MAX_GENERATED = 100_000;
const MEMO_LIMIT = 1 << 16;

export class CodeRanges {
  readonly #kernel: Kernel;
  readonly #ranges: readonly CodeRange[];
  #generated: readonly CodeRange[] | undefined;
  readonly #places = new Map<bigint, CodePlace | null>();

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    this.#ranges = [...kernelRanges(kernel), ...moduleRanges(kernel)];
  }

  static of(kernel: Kernel): CodeRanges {
    return kernel.memo(CodeRanges, () => new CodeRanges(kernel));
  }

  /** True for kernel text, module text and generated code. */
  isCode(address: bigint): boolean {
    return within(this.#ranges, address) !== undefined || this.isGenerated(address);
  }

  /** True for code written at run time: it has no ORC entry and, for BPF, a frame pointer. */
  isGenerated(address: bigint): boolean {
    this.#generated ??= generatedRanges(this.#kernel);
    return within(this.#generated, address) !== undefined;
  }

  /** The module whose text holds the address, also where its symbols are not known (a kernel without kallsyms). */
  moduleOf(address: bigint): string | undefined {
    return within(this.#ranges, address)?.module;
  }

  /**
   * Function and offset of a pc. For a return address the call is looked up (`pc - 1`), since a call that never returns may be the last
   * instruction of its function; the offset is the pc's all the same.
   */
  place(pc: VirtualAddress, isReturnAddress: boolean): CodePlace | undefined {
    const at = isReturnAddress ? virtual(pc - 1n) : pc;
    let found = this.#places.get(at);
    if (found === undefined) {
      if (this.#places.size > MEMO_LIMIT) this.#places.clear();
      found = this.#look(at) ?? null;
      this.#places.set(at, found);
    }
    if (found === null) return undefined;
    return isReturnAddress ? { ...found, offset: found.offset + 1 } : found;
  }

  #look(at: VirtualAddress): CodePlace | undefined {
    if (within(this.#ranges, at) !== undefined) {
      const found = this.#kernel.symbols.byAddress(at);
      if (found === undefined) return undefined;
      return { function: found.symbol.name, offset: found.offset, module: found.symbol.module, start: found.symbol.address };
    }
    this.#generated ??= generatedRanges(this.#kernel);
    const range = within(this.#generated, at);
    if (range?.name === undefined) return undefined;
    return {
      function: range.name,
      offset: distance(at, range.start),
      module: range.name === "ftrace_trampoline" ? "__builtin__ftrace" : "bpf",
      start: virtual(range.start),
    };
  }
}

function within(ranges: readonly CodeRange[], address: bigint): CodeRange | undefined {
  for (const range of ranges) if (address >= range.start && address < range.end) return range;
  return undefined;
}

function kernelRanges(kernel: Kernel): CodeRange[] {
  const ranges: CodeRange[] = [];
  for (const [first, last] of [
    [kernel.tryAddress("_text") === undefined ? "_stext" : "_text", "_etext"],
    ["_sinittext", "_einittext"],
    // arm64's code that also runs with the MMU off lies in read-only data since 6.x; a secondary CPU's first frame is there.
    ["__idmap_text_start", "__idmap_text_end"],
  ] as const) {
    const start = kernel.tryAddress(first);
    const end = kernel.tryAddress(last);
    if (start !== undefined && end !== undefined && end > start) ranges.push({ start, end, name: undefined });
  }
  return ranges;
}

function moduleRanges(kernel: Kernel): CodeRange[] {
  return kernel.modules.flatMap((module) =>
    module.regions
      .filter((region) => ["text", "init_text", "core", "init"].includes(region.kind))
      .map((region) => ({
        start: region.start,
        end: region.start + BigInt(region.codeSize ?? region.size),
        name: undefined,
        module: module.name,
      })),
  );
}

/** ftrace's trampolines, and code listed in bpf_kallsyms; what was read before a broken link counts. */
function generatedRanges(kernel: Kernel): CodeRange[] {
  const head = kernel.tryAddress("bpf_kallsyms");
  const struct = kernel.types.tryStruct("bpf_ksym");
  const node = struct?.tryField("lnode");
  // /proc/kallsyms calls each of them so.
  const ranges: CodeRange[] = ftraceTrampolines(kernel).map(({ start, end }) => ({ start, end, name: "ftrace_trampoline" }));
  if (head === undefined || struct === undefined || node === undefined) return ranges;
  try {
    const start = struct.field("start");
    const end = struct.field("end");
    const name = struct.field("name");
    for (let at = kernel.memory.u64(head); at !== head && ranges.length < MAX_GENERATED; at = kernel.memory.u64(virtual(at))) {
      const symbol = containerOf(virtual(at), node);
      ranges.push({ start: start.bigint(symbol), end: end.bigint(symbol), name: name.string(symbol) });
    }
  } catch (error) {
    if (!(error instanceof InquestError)) throw error;
  }
  return ranges;
}
