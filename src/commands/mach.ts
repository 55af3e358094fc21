/** `mach`: the machine, where its kernel lies in memory, and the stacks of each CPU. */
import { START_KERNEL_MAP } from "../arch/x86-64.ts";
import { hex16, type VirtualAddress } from "../bytes/address.ts";
import { InquestError, LookupError, UnsupportedError } from "../bytes/errors.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { cpuMasks, cpuMegahertz } from "../linux/cpu.ts";
import { type PhysicalMap, physicalMap } from "../linux/memory-map.ts";
import { memoryTotal } from "../linux/memory-total.ts";
import { tickRate } from "../linux/tick-rate.ts";
import { utsname } from "../linux/utsname.ts";
import type { StackKind } from "../stack/frame.ts";
import { StackMap } from "../stack/stack-map.ts";
import { threadSize } from "../stack/task-stack.ts";
import { machApi } from "./api/system.ts";
import { defineCommand, type Session } from "./command.ts";
import { sizeText } from "./support/date-text.ts";
import { printValue } from "./support/print-value.ts";
import { chosenRadix } from "./support/radix.ts";
import type { ValueNode } from "./support/value-node.ts";
import { valueReader } from "./support/value-reader.ts";

/** One kind of per-CPU stack. */
export interface StackList {
  readonly kind: StackKind;
  /** Bytes; of the first when they differ. */
  readonly size: number;
  readonly stacks: readonly {
    readonly cpu: number | undefined;
    readonly address: bigint;
    /** False where nothing is mapped, as with #VC stacks outside SEV-ES guests. */
    readonly mapped: boolean;
  }[];
}

/** The machine: memory, CPUs, clock, the bases of the kernel's areas, the CPUs' stacks. */
export interface MachineFacts {
  readonly machine: string;
  readonly memoryBytes: number;
  readonly cpus: number;
  readonly offlineCpus: number;
  /** x86-64: what the kernel took its host for. */
  readonly hypervisor?: string;
  readonly megahertz?: number;
  readonly hz?: number;
  readonly pageSize: number;
  /** Bases of the kernel's areas; the label as it is shown. */
  readonly bases: readonly { readonly label: string; readonly address: bigint }[];
  readonly threadSize: number;
  readonly stackLists: readonly StackList[];
}

export interface CpuInfo {
  readonly cpu: number;
  readonly value: ValueNode;
}

export interface MachResult {
  readonly facts?: MachineFacts;
  readonly map?: PhysicalMap;
  readonly cpuInfo?: readonly CpuInfo[];
  readonly radix?: 10 | 16;
}

export const mach = defineCommand<MachResult>({
  spec: {
    name: "mach",
    summary: "machine specific data",
    synopsis: ["[-m | -c | -o] [-x | -d]"],
    description: [
      "Shows the machine: memory, CPUs, clock and tick rate, page size, the bases of the kernel's areas of virtual memory, and the sizes and places of each CPU's interrupt and exception stacks.",
    ],
    options: [
      { flag: "-m", help: "the physical memory map: e820 on x86-64, memblock on arm64 (else the top of the resource tree)" },
      { flag: "-c", help: "each CPU's own data: struct cpuinfo_x86, struct cpuinfo_arm64" },
      { flag: "-o", help: "OPAL console log: of ppc64 only" },
      { flag: "-x", help: "with -c: numbers in hexadecimal" },
      { flag: "-d", help: "with -c: numbers in decimal" },
    ],
    operands: [],
    examples: [
      ["mach", "the machine"],
      ["mach -m", "the memory map that the firmware gave"],
      ["mach -cx", "each CPU's data in hexadecimal"],
    ],
    differences: [
      "-m also works on arm64.",
      "All exception stacks have their names and sizes, also the machine-check, second #VC and entry stacks.",
    ],
  },
  run(session, args) {
    const { kernel } = session;
    if (args.has("-o")) throw new UnsupportedError(`mach: -o (the OPAL console log) is of ppc64; this is ${kernel.arch.name}`);
    const map = args.has("-m") ? memoryMap(kernel) : undefined;
    const cpuInfo = args.has("-c") ? cpuData(session) : undefined;
    const radix = chosenRadix(args);
    return {
      ...(map === undefined && cpuInfo === undefined ? { facts: machineFacts(kernel) } : {}),
      ...(map === undefined ? {} : { map }),
      ...(cpuInfo === undefined ? {} : { cpuInfo }),
      ...(radix === undefined ? {} : { radix }),
    };
  },
  api: (session, args) => machApi(session.kernel, args, args.has("-c") ? cpuData(session).map(({ cpu }) => cpu) : []),
  *text({ facts, map, cpuInfo, radix }, layout) {
    if (facts !== undefined) yield* factLines(facts);
    if (map !== undefined) yield* mapLines(map);
    for (const { cpu, value } of cpuInfo ?? []) {
      yield `CPU ${cpu}:`;
      const type = "type" in value ? `${value.type} ` : "";
      yield* `${type}${printValue(value, radix ?? layout.radix)}`.split("\n");
      yield "";
    }
  },
});

/** Everything but -m and -c. */
export function machineFacts(kernel: Kernel): MachineFacts {
  const hypervisor = hypervisorName(kernel);
  const megahertz = cpuMegahertz(kernel);
  const hz = tickRate(kernel);
  const masks = cpuMasks(kernel);
  return {
    machine: kernel.arch.name === "x86_64" ? "x86_64" : utsname(kernel).machine || "aarch64",
    memoryBytes: memoryTotal(kernel).present,
    cpus: masks.present.length,
    offlineCpus: masks.present.filter((cpu) => !masks.online.includes(cpu)).length,
    ...(hypervisor === undefined ? {} : { hypervisor }),
    ...(megahertz === undefined ? {} : { megahertz }),
    ...(hz === undefined ? {} : { hz }),
    pageSize: kernel.arch.pageSize,
    bases: kernel.arch.name === "x86_64" ? x86Bases(kernel) : arm64Bases(kernel),
    threadSize: threadSize(kernel),
    stackLists: stackLists(kernel),
  };
}

/** x86_hyper_type (4.15, 03b2a320b19f) holds an enum x86_hypervisor_type. */
function hypervisorName(kernel: Kernel): string | undefined {
  const address = kernel.tryAddress("x86_hyper_type");
  const value = address === undefined ? undefined : kernel.memory.tryU32(address);
  const type = kernel.types.find("enum", "x86_hypervisor_type", { modules: false });
  if (value === undefined || value === 0 || type === undefined || type.kind !== "enum") return undefined;
  const name = type.enumerators.find((each) => each.value === BigInt(value))?.name;
  return name?.replace("X86_HYPER_", "").replace("MS_HYPERV", "Hyper-V");
}

type Base = { readonly label: string; readonly address: bigint };

function bases(list: readonly (readonly [string, bigint | undefined])[]): readonly Base[] {
  return list.flatMap(([label, address]) => (address === undefined ? [] : [{ label, address }]));
}

/** The bases are variables since KASLR moves them (4.8); kernels that do not move them have the documented ones (mm.rst). */
function x86Bases(kernel: Kernel): readonly Base[] {
  const { arch } = kernel;
  const variable = (name: string) => {
    const address = kernel.tryAddress(name);
    return address === undefined ? undefined : kernel.memory.tryU64(address);
  };
  const wide = arch.virtualBits > 48;
  // MODULES_VADDR is behind the image's mapping, whose size depends on CONFIG_RANDOMIZE_BASE: 1 GiB with it.
  const image = kernel.vmcoreinfo?.number("KERNEL_IMAGE_SIZE");
  return bases([
    ["KERNEL VIRTUAL BASE", arch.linearOffset],
    ["KERNEL VMALLOC BASE", variable("vmalloc_base") ?? (wide ? 0xffa0_0000_0000_0000n : 0xffff_c900_0000_0000n)],
    ["KERNEL VMEMMAP BASE", variable("vmemmap_base") ?? (wide ? 0xffd4_0000_0000_0000n : 0xffff_ea00_0000_0000n)],
    ["KERNEL START MAP", START_KERNEL_MAP],
    ["KERNEL MODULES BASE", image === undefined ? undefined : START_KERNEL_MAP + image],
  ]);
}

/** VMCOREINFO tells the areas since 6.0; before, only what was found on opening is known. */
function arm64Bases(kernel: Kernel): readonly Base[] {
  const number = (name: string) => {
    const value = kernel.vmcoreinfo?.number(name);
    return value === undefined ? undefined : BigInt.asUintN(64, value);
  };
  return bases([
    ["KERNEL VIRTUAL BASE", kernel.arch.kernelStart],
    ["KERNEL MODULES BASE", number("MODULES_VADDR")],
    ["KERNEL VMALLOC BASE", number("VMALLOC_START")],
    ["KERNEL VMEMMAP BASE", number("VMEMMAP_START")],
    ["KERNEL IMAGE BASE", kernel.tryAddress("_text") ?? kernel.vmcoreinfo?.symbol("_stext")],
  ]);
}

function stackLists(kernel: Kernel): readonly StackList[] {
  const lists = new Map<StackKind, { cpu: number | undefined; address: VirtualAddress; size: number }[]>();
  for (const { kind, start, end, cpu } of StackMap.of(kernel).areas) {
    const list = lists.get(kind) ?? [];
    list.push({ cpu, address: start, size: Number(end - start) });
    lists.set(kind, list);
  }
  return [...lists].map(([kind, stacks]) => ({
    kind,
    size: stacks[0]?.size ?? 0,
    stacks: stacks.map(({ cpu, address }) => ({ cpu, address, mapped: kernel.arch.kernelTables.walk(address).physical !== undefined })),
  }));
}

function memoryMap(kernel: Kernel): PhysicalMap {
  const map = physicalMap(kernel);
  if (map === undefined) throw new UnsupportedError("mach: neither e820_table, memblock nor iomem_resource can be read in this dump");
  return map;
}

/** Each CPU's cpuinfo structure: `cpu_info` on x86-64 (without SMP the boot CPU's is all there is), `cpu_data` on arm64. */
function cpuData(session: Session): readonly CpuInfo[] {
  const { kernel } = session;
  const [symbol, name] = kernel.arch.name === "x86_64" ? ["cpu_info", "cpuinfo_x86"] : ["cpu_data", "cpuinfo_arm64"];
  const { type } = kernel.types.struct(name as string);
  const base = kernel.tryAddress(symbol as string) ?? (kernel.perCpuOffsets.length === 1 ? kernel.tryAddress("boot_cpu_data") : undefined);
  if (base === undefined) throw new LookupError(`"${symbol}" is not among this kernel's symbols`);
  const reader = valueReader(session);
  return cpuMasks(kernel).present.flatMap((cpu) => {
    const address = perCpuOrNothing(kernel, base, cpu);
    return address === undefined ? [] : [{ cpu, value: reader.read(type, address) }];
  });
}

function perCpuOrNothing(kernel: Kernel, base: VirtualAddress, cpu: number): VirtualAddress | undefined {
  try {
    return kernel.perCpuAddress(base, cpu);
  } catch (error) {
    if (error instanceof InquestError) return undefined;
    throw error;
  }
}

const WIDTH = 22;

/** crash's names of the stacks. */
const STACK_NAMES: Partial<Record<StackKind, string>> = {
  irq: "IRQ",
  softirq: "SOFTIRQ",
  "stack fault": "STACKFAULT",
  "double fault": "DOUBLEFAULT",
  nmi: "NMI",
  debug: "DEBUG",
  "machine check": "MCE",
  entry: "ENTRY",
  overflow: "OVERFLOW",
  sdei: "SDEI",
  efi: "EFI",
};

function* factLines(facts: MachineFacts): Iterable<string> {
  const line = (label: string, value: string) => `${label.padStart(WIDTH)}: ${value}`;
  yield line("MACHINE TYPE", facts.machine);
  yield line("MEMORY SIZE", sizeText(facts.memoryBytes));
  yield line("CPUS", `${facts.cpus}${facts.offlineCpus === 0 ? "" : ` [OFFLINE: ${facts.offlineCpus}]`}`);
  if (facts.hypervisor !== undefined) yield line("HYPERVISOR", facts.hypervisor);
  yield line("PROCESSOR SPEED", facts.megahertz === undefined ? "(unknown)" : `${Math.floor(facts.megahertz)} Mhz`);
  yield line("HZ", facts.hz === undefined ? "(unknown)" : String(facts.hz));
  yield line("PAGE SIZE", String(facts.pageSize));
  for (const { label, address } of facts.bases) yield line(label, hex16(address));
  yield line("KERNEL STACK SIZE", String(facts.threadSize));
  for (const { kind, size, stacks } of facts.stackLists) {
    const name = STACK_NAMES[kind] ?? kind.toUpperCase();
    yield line(`${name} STACK SIZE`, String(size));
    yield `${`${name} STACKS`.padStart(WIDTH)}:`;
    for (const { cpu, address, mapped } of stacks) {
      yield line(cpu === undefined ? "ALL CPUS" : `CPU ${cpu}`, `${hex16(address)}${mapped ? "" : " [unavailable]"}`);
    }
  }
}

function* mapLines({ source, ranges }: PhysicalMap): Iterable<string> {
  if (source !== "e820_table") yield `(from ${source})`;
  yield "      PHYSICAL ADDRESS RANGE         TYPE";
  for (const { start, end, type } of ranges) yield `${hex16(start)} - ${hex16(end)}  ${type}`;
}
