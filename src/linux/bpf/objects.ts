/**
 * Programs and maps of eBPF (include/linux/bpf.h, kernel/bpf/syscall.c).
 *
 *   prog_idr: id ─► bpf_prog { len, jited_len, type, tag, bpf_func, insnsi[] } ─aux─► bpf_prog_aux { id, name, load_time, used_maps[] }
 *   map_idr:  id ─► bpf_map { map_type, key_size, value_size, max_entries, map_flags, name }
 *
 * Where the two variables are hidden (no CONFIG_KALLSYMS_ALL), programs and maps are those that tasks hold open: files whose release
 * function is bpf_prog_release or bpf_map_release; and the maps that those programs use.
 */
import { add, type VirtualAddress, virtual } from "../../bytes/address.ts";
import { InquestError } from "../../bytes/errors.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { Struct } from "../../kernel/types.ts";
import { cpuMasks } from "../cpu.ts";
import { fileDescriptors } from "../file.ts";
import { guarded, guardedWalk, tell } from "../net/guarded.ts";
import { taskTable } from "../task.ts";
import { machineTime } from "../timekeeping.ts";
import { xarrayEntries, xarrayLayout } from "../xarray.ts";
import type { BpfNames } from "./instruction.ts";

/** BPF_MAXINSNS of the verifier is 10^6; more is damage. */
const MAX_INSTRUCTIONS = 1 << 21;
const MAX_MAPS_OF_PROGRAM = 1 << 12;
const MAX_OBJECTS = 1 << 20;

/** A loaded BPF program (struct bpf_prog). */
export interface BpfProgram {
  readonly id: number;
  /** struct bpf_prog. */
  readonly address: VirtualAddress;
  /** struct bpf_prog_aux. */
  readonly aux: VirtualAddress;
  /** "SOCKET_FILTER" */
  readonly type: string;
  /** Eight bytes in hexadecimal: a hash of the instructions as they were loaded. */
  readonly tag: string;
  readonly name?: string;
  /** Ids of the maps it uses. */
  readonly maps: readonly number[];
  /** Bytes of the translated instructions and of the machine code; the code's address is 0 where it is interpreted. */
  readonly translated: number;
  readonly jited: number;
  readonly code: VirtualAddress;
  /** First instruction. */
  readonly instructions: VirtualAddress;
  /** Bytes. */
  readonly memory: number;
  /** Seconds since 1970; undefined when the clocks cannot be read. */
  readonly loaded?: number;
  readonly gplCompatible: boolean;
  readonly uid?: number;
}

/** A BPF map (struct bpf_map). */
export interface BpfMap {
  readonly id: number;
  /** struct bpf_map. */
  readonly address: VirtualAddress;
  /** "HASH" */
  readonly type: string;
  readonly flags: number;
  readonly keySize: number;
  readonly valueSize: number;
  readonly maxEntries: number;
  /** Bytes: as the kernel accounts them up to 5.10; since then (80ee81e0403c) estimated as it reports them. */
  readonly memory: number;
  readonly name?: string;
  readonly uid?: number;
}

/** All programs, by ascending id. What is damaged is told in `notes`. */
export function bpfPrograms(kernel: Kernel, notes: string[] = []): readonly BpfProgram[] {
  const found = [...objects(kernel, "prog", notes)];
  return found
    .flatMap((address) => guarded(notes, `bpf_prog ${address.toString(16)}`, () => readProgram(kernel, address, notes)) ?? [])
    .sort((a, b) => a.id - b.id);
}

/** All maps, by ascending id. What is damaged is told in `notes`. */
export function bpfMaps(kernel: Kernel, notes: string[] = []): readonly BpfMap[] {
  const found = new Set(objects(kernel, "map", notes));
  // Without the table, maps that only programs use are found through those.
  if (kernel.tryAddress("map_idr") === undefined)
    for (const program of objects(kernel, "prog", []))
      for (const map of guardedWalk(notes, "the maps of a program", () =>
        usedMaps(kernel, kernel.types.struct("bpf_prog").field("aux").pointer(program)),
      ))
        found.add(map);
  return [...found]
    .flatMap((address) => guarded(notes, `bpf_map ${address.toString(16)}`, () => readMap(kernel, address)) ?? [])
    .sort((a, b) => a.id - b.id);
}

function* objects(kernel: Kernel, kind: "prog" | "map", notes: string[]): Generator<VirtualAddress, void, undefined> {
  const table = kernel.tryAddress(`${kind}_idr`);
  const idr = kernel.types.tryStruct("idr");
  const layout = xarrayLayout(kernel.types);
  if (table === undefined || idr === undefined || layout === undefined) {
    tell(
      notes,
      `the table of BPF ${kind === "prog" ? "programs" : "maps"} (${kind}_idr) cannot be found: only those are shown that tasks hold open`,
    );
    yield* openObjects(kernel, kind, notes);
    return;
  }
  // idr.idr_rt is an xarray since 4.20, a radix tree before.
  const root = idr.firstField("idr_rt.xa_head", "idr_rt.rnode") ?? idr.field("idr_rt");
  const walk = () => xarrayEntries(kernel.memory, layout, root.pointer(table), MAX_OBJECTS);
  for (const { entry } of guardedWalk(notes, `${kind}_idr`, walk)) yield entry;
}

function* openObjects(kernel: Kernel, kind: "prog" | "map", notes: string[]): Generator<VirtualAddress, void, undefined> {
  const release = kernel.tryAddress(`bpf_${kind}_release`);
  const file = kernel.types.struct("file");
  const operations = kernel.types.struct("file_operations").field("release");
  const seen = new Set<bigint>();
  for (const { address } of taskTable(kernel).tasks) {
    for (const each of fileDescriptors(kernel, address)) {
      try {
        if (operations.pointer(file.field("f_op").pointer(each.file)) !== release) continue;
        const object = file.field("private_data").pointer(each.file);
        if (!seen.has(object)) yield object;
        seen.add(object);
      } catch (error) {
        if (!(error instanceof InquestError)) throw error;
        tell(notes, `file ${each.file.toString(16)}: ${error.message}`);
      }
    }
  }
}

function readProgram(kernel: Kernel, address: VirtualAddress, notes: string[]): BpfProgram {
  const prog = kernel.types.struct("bpf_prog");
  const struct = kernel.types.struct("bpf_prog_aux");
  const aux = prog.field("aux").pointer(address);
  const name = textOf(kernel, struct, "name", aux);
  const uid = userId(kernel, struct, "user", aux);
  const loaded = loadTime(kernel, struct.tryField("load_time")?.bigint(aux));
  const jited = prog.field("jited").number(address) !== 0;
  const maps = guardedWalk(notes, `the maps of bpf_prog ${address.toString(16)}`, () => usedMaps(kernel, aux));
  const id = kernel.types.struct("bpf_map").field("id");
  return {
    id: struct.field("id").number(aux),
    address,
    aux,
    type: enumName(kernel, "bpf_prog_type", prog.field("type").number(address), "BPF_PROG_TYPE_"),
    tag: Array.from(kernel.memory.bytes(prog.field("tag").address(address), 8), (byte) => byte.toString(16).padStart(2, "0")).join(""),
    ...(name === undefined ? {} : { name }),
    maps: [...maps].flatMap((map) => guarded(notes, `bpf_map ${map.toString(16)}`, () => id.number(map)) ?? []),
    translated: prog.field("len").number(address) * 8,
    jited: jited ? prog.field("jited_len").number(address) : 0,
    code: jited ? prog.field("bpf_func").pointer(address) : virtual(0n),
    instructions: prog.field("insnsi").address(address),
    memory: prog.field("pages").number(address) * kernel.arch.pageSize,
    ...(loaded === undefined ? {} : { loaded }),
    gplCompatible: prog.field("gpl_compatible").number(address) !== 0,
    ...(uid === undefined ? {} : { uid }),
  };
}

function* usedMaps(kernel: Kernel, aux: VirtualAddress): Generator<VirtualAddress, void, undefined> {
  const struct = kernel.types.struct("bpf_prog_aux");
  const array = struct.field("used_maps").pointer(aux);
  const count = Math.min(struct.field("used_map_cnt").number(aux), MAX_MAPS_OF_PROGRAM);
  for (let i = 0; i < count && array !== 0n; i++) yield virtual(kernel.memory.u64(add(array, i * 8)));
}

function readMap(kernel: Kernel, address: VirtualAddress): BpfMap {
  const struct = kernel.types.struct("bpf_map");
  const number = (member: string) => struct.field(member).number(address) >>> 0;
  const type = enumName(kernel, "bpf_map_type", number("map_type"), "BPF_MAP_TYPE_");
  const name = textOf(kernel, struct, "name", address);
  const uid = userId(kernel, struct, "memory.user", address) ?? userId(kernel, struct, "user", address);
  const sizes = { keySize: number("key_size"), valueSize: number("value_size"), maxEntries: number("max_entries") };
  const pages = struct.firstField("memory.pages", "pages")?.number(address);
  return {
    id: number("id"),
    address,
    type,
    flags: number("map_flags"),
    ...sizes,
    memory: pages === undefined ? footprint(kernel, type, sizes) : pages * kernel.arch.pageSize,
    ...(name === undefined ? {} : { name }),
    ...(uid === undefined ? {} : { uid }),
  };
}

/** The kernel's own estimate of 5.11 to 6.3 (bpf_map_memory_footprint): all entries, values of per-CPU maps as often as there are CPUs. */
function footprint(
  kernel: Kernel,
  type: string,
  { keySize, valueSize, maxEntries }: Pick<BpfMap, "keySize" | "valueSize" | "maxEntries">,
): number {
  const up = (value: number, to: number) => Math.ceil(value / to) * to;
  const perCpu = /^(LRU_)?PERCPU_/.test(type);
  const entry = perCpu ? up(keySize, 8) + up(valueSize, 8) * cpuMasks(kernel).possible.length : up(keySize + valueSize, 8);
  return up(maxEntries * entry, kernel.arch.pageSize);
}

function enumName(kernel: Kernel, type: string, value: number, prefix: string): string {
  const found = kernel.types.find("enum", type, { modules: false });
  const name = found?.kind === "enum" ? found.enumerators.find((each) => each.value === BigInt(value))?.name : undefined;
  return name === undefined ? String(value) : name.startsWith(prefix) ? name.slice(prefix.length) : name;
}

function textOf(kernel: Kernel, struct: Struct, member: string, base: VirtualAddress): string | undefined {
  const field = struct.tryField(member);
  const text = field === undefined ? "" : kernel.memory.cString(field.address(base), field.size);
  return text === "" ? undefined : text;
}

/** user_struct.uid; undefined where the object names no user. */
function userId(kernel: Kernel, struct: Struct, member: string, base: VirtualAddress): number | undefined {
  const user = struct.tryField(member)?.pointer(base) ?? 0n;
  const uid = kernel.types.tryStruct("user_struct")?.firstField("uid.val", "uid");
  if (user === 0n || uid === undefined) return undefined;
  return kernel.memory.tryU32(uid.address(user as VirtualAddress));
}

/** load_time counts from boot, suspend included (CLOCK_BOOTTIME). */
function loadTime(kernel: Kernel, sinceBoot: bigint | undefined): number | undefined {
  const { realtime, uptime } = machineTime(kernel);
  return sinceBoot === undefined || sinceBoot === 0n || realtime === undefined || uptime === undefined
    ? undefined
    : Number((realtime - uptime + sinceBoot) / 1_000_000n) / 1000;
}

/** The program's translated instructions. @throws CorruptionError, FaultError */
export function programBytes(kernel: Kernel, { instructions, translated }: BpfProgram): Uint8Array {
  return kernel.memory.bytes(instructions, Math.min(translated, MAX_INSTRUCTIONS * 8));
}

/** Names for a program's instructions: calls are relative to __bpf_call_base, maps are known by their addresses. */
export function programNames(kernel: Kernel, maps: readonly BpfMap[]): BpfNames {
  const base = kernel.tryAddress("__bpf_call_base");
  const byAddress = new Map<bigint, number>(maps.map(({ address, id }) => [address, id]));
  return {
    call: (imm) => {
      const symbol = base === undefined ? undefined : kernel.symbols.byAddress(add(base, imm));
      return symbol === undefined || symbol.offset !== 0 ? undefined : symbol.symbol.name;
    },
    constant: (value) => {
      const id = byAddress.get(value);
      return id === undefined ? undefined : `map[id:${id}]`;
    },
  };
}
