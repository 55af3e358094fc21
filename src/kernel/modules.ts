/**
 * Loaded modules: the list `modules`, where each lies, its symbols and its types. Source: include/linux/module.h, kernel/module/.
 *
 *   modules (list_head) ⇄ struct module.list ⇄ …
 *   6.4 on    mem[MOD_TEXT, MOD_DATA, …] { base, size }          (commit ac3b43283923)
 *   4.5–6.3   core_layout, init_layout { base, size }
 *   to 4.4    module_core, core_size, module_init, init_size
 */
import { add, type VirtualAddress, virtual } from "../bytes/address.ts";
import { FaultError, InquestError } from "../bytes/errors.ts";
import { ModuleKallsyms } from "../debug-info/module-kallsyms.ts";
import type { SymbolTable } from "../debug-info/symbols.ts";
import type { Memory } from "./address-space.ts";
import { containerOf, type Field } from "./field.ts";
import type { Struct, Types } from "./types.ts";

/** A piece of memory that belongs to a module. */
export interface ModuleRegion {
  /** The kernel's name for it without MOD_: "text", "data", "rodata", "ro_after_init", "init_text", …; "core" and "init" before 6.4. */
  readonly kind: string;
  readonly start: VirtualAddress;
  readonly size: number;
  /** How much of its beginning is code, where it is of several kinds ("core", "init"). */
  readonly codeSize?: number;
}

/** A loaded module. */
export interface KernelModule {
  readonly name: string;
  /** Address of the struct module. */
  readonly address: VirtualAddress;
  /** Address that /proc/modules shows: start of the text; 0 for a module that has none. */
  readonly base: VirtualAddress;
  /** Bytes as /proc/modules shows them: all of the module's memory, init parts that are gone left out. */
  readonly size: number;
  readonly regions: readonly ModuleRegion[];
  /** enum module_state: 0 live, 1 coming, 2 going, 3 unformed. */
  readonly state: number;
  /** Bits of `taints`. */
  readonly taints: bigint;
  /** Its own kallsyms; undefined when they cannot be read. Read on first use. */
  symbols(): SymbolTable | undefined;
}

/** How the note begins that tells of missing modules. */
export const MODULES_BROKEN = "the list of modules is broken";

/** More modules than any kernel loads. */
const MAX_MODULES = 10_000;
const MAX_MODULE_SYMBOLS = 1 << 20;
/** A module's state while its memory is not set up (enum module_state, since 3.9). */
const UNFORMED = 3;

const REGION_NAMES_6_4 = ["text", "data", "rodata", "ro_after_init", "init_text", "init_data", "init_rodata"];

interface Layout {
  readonly list: Field;
  readonly name: Field;
  readonly state: Field | undefined;
  readonly taints: Field | undefined;
  readonly regions: readonly {
    readonly kind: string;
    readonly base: Field;
    readonly size: Field;
    readonly codeSize?: Field | undefined;
    readonly elementOffset: number;
  }[];
  readonly kallsyms: Field | undefined;
  readonly kallsymsLayout: Struct | undefined;
  readonly direct: Struct;
}

/**
 * Reads the list. Where a link is broken, the rest is read from the list's other end, backwards; `problems` says where it broke.
 * @param head address of the symbol `modules`
 */
export function readModules(memory: Memory, types: Types, head: VirtualAddress, problems: string[]): KernelModule[] {
  const struct = types.tryStruct("module");
  if (struct === undefined) return [];
  const layout = moduleLayout(types, struct);
  const seen = new Set<bigint>();
  const found: KernelModule[] = [];
  const broken = follow(memory, layout, head, NEXT, seen, found);
  if (broken === undefined) return found;
  const behind: KernelModule[] = [];
  follow(memory, layout, head, PREV, seen, behind);
  problems.push(
    `${MODULES_BROKEN} (${broken}): ${found.length} were read up to there and ${behind.length} from its other end; what lies between is missing`,
  );
  return [...found, ...behind.reverse()];
}

/** Reads one struct module by its address, for those who must judge whether it is one; undefined when it is unformed or unreadable. */
export function moduleReader(memory: Memory, types: Types): ((address: VirtualAddress) => KernelModule | undefined) | undefined {
  const struct = types.tryStruct("module");
  if (struct === undefined) return undefined;
  const layout = moduleLayout(types, struct);
  return (address) => {
    try {
      return readModule(memory, layout, address);
    } catch (error) {
      if (error instanceof InquestError) return undefined;
      throw error;
    }
  };
}

/** Offsets in struct list_head. */
const NEXT = 0;
const PREV = 8;

/** Walks the list one way and adds to `found` until the head, or until it breaks: then says why. */
function follow(
  memory: Memory,
  layout: Layout,
  head: VirtualAddress,
  link: typeof NEXT | typeof PREV,
  seen: Set<bigint>,
  found: KernelModule[],
): string | undefined {
  try {
    for (let node = memory.u64(add(head, link)); node !== head && seen.size < MAX_MODULES; node = memory.u64(add(virtual(node), link))) {
      if (seen.has(node)) return `it runs in a circle at ${node.toString(16)}`;
      const module = readModule(memory, layout, containerOf(virtual(node), layout.list));
      seen.add(node);
      if (module !== undefined) found.push(module);
    }
    return undefined;
  } catch (error) {
    if (!(error instanceof InquestError)) throw error;
    return error.message;
  }
}

function moduleLayout(types: Types, struct: Struct): Layout {
  const regions: { kind: string; base: Field; size: Field; codeSize?: Field | undefined; elementOffset: number }[] = [];
  const memoryStruct = types.tryStruct("module_memory");
  const mem = struct.tryField("mem");
  if (memoryStruct !== undefined && mem !== undefined) {
    const count = Math.min(Math.floor(mem.size / memoryStruct.size), 16);
    for (let i = 0; i < count; i++) {
      const kind = REGION_NAMES_6_4[i] ?? `mem[${i}]`;
      regions.push({
        kind,
        base: memoryStruct.field("base"),
        size: memoryStruct.field("size"),
        elementOffset: mem.offset + i * memoryStruct.size,
      });
    }
  } else {
    for (const [kind, base, size, code] of [
      ["core", "core_layout.base", "core_layout.size", "core_layout.text_size"],
      ["init", "init_layout.base", "init_layout.size", "init_layout.text_size"],
      ["core", "module_core", "core_size", "core_text_size"],
      ["init", "module_init", "init_size", "init_text_size"],
    ] as const) {
      const baseField = struct.tryField(base);
      const sizeField = struct.tryField(size);
      if (baseField !== undefined && sizeField !== undefined)
        regions.push({ kind, base: baseField, size: sizeField, codeSize: struct.tryField(code), elementOffset: 0 });
    }
  }
  return {
    list: struct.field("list"),
    name: struct.field("name"),
    state: struct.tryField("state"),
    taints: struct.tryField("taints"),
    regions,
    kallsyms: struct.tryField("kallsyms"),
    kallsymsLayout: types.tryStruct("mod_kallsyms"),
    direct: struct,
  };
}

function readModule(memory: Memory, layout: Layout, address: VirtualAddress): KernelModule | undefined {
  const state = layout.state?.number(address) ?? 0;
  if (state === UNFORMED) return undefined;
  const regions: ModuleRegion[] = [];
  for (const region of layout.regions) {
    const at = add(address, region.elementOffset);
    const start = region.base.pointer(at);
    const size = region.size.number(at);
    if (start === 0n || size <= 0 || size >= 2 ** 31) continue;
    const code = region.codeSize?.number(at) ?? 0;
    regions.push({ kind: region.kind, start, size, ...(code > 0 && code <= size && { codeSize: code }) });
  }
  let table: SymbolTable | undefined | null = null;
  const name = layout.name.string(address);
  return {
    name,
    address,
    base: layout.regions[0] === undefined ? virtual(0n) : layout.regions[0].base.pointer(add(address, layout.regions[0].elementOffset)),
    size: regions.reduce((sum, region) => sum + region.size, 0),
    regions,
    state,
    taints: layout.taints?.bigint(address) ?? 0n,
    symbols() {
      if (table === null) table = readSymbols(memory, layout, address, name, regions);
      return table;
    },
  };
}

/** struct mod_kallsyms (4.5 on); before, the same four members lay in struct module itself. */
function readSymbols(
  memory: Memory,
  layout: Layout,
  address: VirtualAddress,
  name: string,
  regions: readonly ModuleRegion[],
): SymbolTable | undefined {
  try {
    const own = layout.kallsyms !== undefined && layout.kallsymsLayout !== undefined;
    const struct = own ? (layout.kallsymsLayout as Struct) : layout.direct;
    const base = own ? (layout.kallsyms as Field).pointer(address) : address;
    if (base === 0n || !struct.has("symtab")) return undefined;
    const count = struct.field("num_symtab").number(base);
    if (count <= 0 || count > MAX_MODULE_SYMBOLS) return undefined;
    return ModuleKallsyms.open(memory, {
      module: name,
      symtab: struct.field("symtab").pointer(base),
      count,
      strtab: struct.field("strtab").pointer(base),
      typetab: struct.tryField("typetab")?.pointer(base),
      regions,
    });
  } catch (error) {
    if (error instanceof FaultError) return undefined;
    throw error;
  }
}
