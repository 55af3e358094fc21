/**
 * From an opened dump to an architecture with page tables: by VMCOREINFO in the container, else by the CPU state that a hypervisor
 * recorded, else by the VMCOREINFO that lies somewhere in memory.
 */

import type { PageTables } from "../arch/architecture.ts";
import { Arm64, arm64SetupFromVmcoreinfo } from "../arch/arm64.ts";
import { START_KERNEL_MAP, X86_64, x86SetupFromRegisters, x86SetupFromVmcoreinfo } from "../arch/x86-64.ts";
import { type VirtualAddress, virtual } from "../bytes/address.ts";
import { FaultError, FormatError, InquestError, UnsupportedError } from "../bytes/errors.ts";
import type { Dump } from "../dump/dump.ts";
import type { PhysicalMemory } from "../dump/physical-memory.ts";
import { qemuCpuStates } from "../dump/register-notes.ts";
import { VmcoreInfo } from "../dump/vmcoreinfo.ts";
import { findVmcoreinfo, type Progress } from "./find-vmcoreinfo.ts";
import { firstMapped } from "./kernel-image.ts";

/** The machine of a dump, with page tables that are known to lead somewhere. */
export interface MachineSetup {
  readonly arch: X86_64 | Arm64;
  /** From the container or from memory. */
  readonly vmcoreinfo: VmcoreInfo | undefined;
  /** An address in the kernel image to start a search from. */
  readonly imageStart: VirtualAddress;
}

/** A set-up and the words on how it was come by; undefined words when it is the ordinary way. */
export interface MachineCandidate extends MachineSetup {
  readonly note: string | undefined;
}

/**
 * Ways to the machine, cheapest first; the opener takes the first that leads to a symbol table. Throws UnsupportedError for a machine that
 * Inquest does not read; yields nothing when there is no way.
 */
export function* machineCandidates(memory: PhysicalMemory, progress?: Progress): Iterable<MachineCandidate> {
  const { dump } = memory;
  const file = dump.files[0] ?? "dump";
  let broken: string | undefined;
  if (dump.vmcoreinfo !== undefined) {
    const info = new VmcoreInfo(dump.vmcoreinfo);
    try {
      const setup = fromVmcoreinfo(memory, info, file);
      if (proved(memory, setup, info)) {
        // Another VMCOREINFO in memory would be an earlier kernel's: a failure from here on has other reasons.
        yield { ...setup, note: undefined };
        return;
      }
      broken = "the dump's VMCOREINFO does not lead to the kernel it names";
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      broken = error.message;
    }
  }
  const lead = broken ?? "no VMCOREINFO in the dump's header";
  const byRegisters = fromRegisters(memory);
  if (byRegisters !== undefined)
    yield { ...byRegisters, note: `${lead}: page tables come from the CPU state that the hypervisor recorded` };
  for (const text of findVmcoreinfo(memory, progress)) {
    const info = new VmcoreInfo(text);
    try {
      const setup = fromVmcoreinfo(memory, info, file);
      if (proved(memory, setup, info)) yield { ...setup, note: `${lead}: ${broken === undefined ? "it" : "another"} was found in memory` };
    } catch (error) {
      if (!(error instanceof InquestError)) throw error;
    }
  }
}

/** The error for a dump that no candidate led into. */
export function noMachine(memory: PhysicalMemory): FormatError {
  return new FormatError(
    memory.dump.files[0] ?? "dump",
    `no VMCOREINFO in the dump or its memory, and no CPU state, that leads to a kernel's page tables${bannerText(memory)}`,
  );
}

function fromVmcoreinfo(memory: PhysicalMemory, info: VmcoreInfo, file: string): MachineSetup {
  const machine =
    memory.dump.machine === "unknown" ? (info.number("kimage_voffset") === undefined ? "x86_64" : "aarch64") : memory.dump.machine;
  const start = info.symbol("_stext") ?? info.symbol("init_uts_ns");
  if (start === undefined) throw new FormatError(file, "VMCOREINFO has neither SYMBOL(_stext) nor SYMBOL(init_uts_ns)");
  const imageStart = virtual(start);
  if (machine === "x86_64")
    return {
      arch: new X86_64(memory, x86SetupFromVmcoreinfo(info, file, memory.dump.physBase ?? textBase(memory.dump))),
      vmcoreinfo: info,
      imageStart,
    };
  if (machine === "aarch64") return { arch: new Arm64(memory, arm64SetupFromVmcoreinfo(info, file)), vmcoreinfo: info, imageStart };
  throw new UnsupportedError(`${file}: the dump is of a ${machine} machine; Inquest reads x86_64 and aarch64`);
}

/** phys_base of kernels whose VMCOREINFO lacks it (before 4.10, 401721ecd1dc): /proc/vmcore has a segment of the kernel's text with both addresses. */
function textBase({ virtualRanges }: Dump): bigint | undefined {
  const text = virtualRanges.find(({ virtual: start }) => start >= START_KERNEL_MAP && start < START_KERNEL_MAP + 0x4000_0000n);
  return text === undefined ? undefined : text.physical - (text.virtual - START_KERNEL_MAP);
}

/** The release that VMCOREINFO names must stand in init_uts_ns, read through the page tables it leads to. */
function proved(memory: PhysicalMemory, setup: MachineSetup, info: VmcoreInfo): boolean {
  const uts = info.symbol("init_uts_ns");
  const release = info.osrelease;
  if (uts === undefined || release === undefined) return mapped(setup.arch.kernelTables, setup.imageStart);
  try {
    // new_utsname: sysname[65], nodename[65], release[65]; OFFSET(uts_namespace.name) says where it starts in init_uts_ns.
    const at = virtual(uts + BigInt(info.offset("uts_namespace.name") ?? 4) + 130n);
    const bytes = new Uint8Array(release.length);
    for (let i = 0; i < bytes.length; i++) {
      memory.readInto(bytes.subarray(i, i + 1), setup.arch.kernelTables.translate(virtual(at + BigInt(i))));
    }
    return String.fromCharCode(...bytes) === release;
  } catch (error) {
    if (error instanceof FaultError) return error.reason !== "unmapped" && error.reason !== "absent";
    throw error;
  }
}

function mapped(tables: PageTables, address: VirtualAddress): boolean {
  try {
    tables.translate(address);
    return true;
  } catch (error) {
    if (error instanceof FaultError) return false;
    throw error;
  }
}

/**
 * x86-64 only: CR3 of any CPU leads to page tables whose upper half is the kernel's. With page-table isolation a CPU in user mode has the
 * user's table, the odd page of a pair, which maps only the entry code: the even page is tried first.
 */
function fromRegisters(memory: PhysicalMemory): MachineSetup | undefined {
  if (memory.dump.machine !== "x86_64") return undefined;
  for (const cpu of qemuCpuStates(memory.dump.notes)) {
    for (const isolation of [true, false]) {
      const setup = x86SetupFromRegisters(cpu.cr3, cpu.cr4, isolation);
      const arch = new X86_64(memory, setup);
      const start = imageStart(arch);
      if (start === undefined) continue;
      return { arch, vmcoreinfo: undefined, imageStart: start };
    }
  }
  return undefined;
}

/** The image is aligned to 2 MiB and its first 4 MiB are mapped; an isolated user table maps less. */
function imageStart(arch: X86_64): VirtualAddress | undefined {
  const start = firstMapped(arch.kernelTables, START_KERNEL_MAP, START_KERNEL_MAP + 0x4000_0000n, 2 << 20);
  if (start === undefined) return undefined;
  return mapped(arch.kernelTables, virtual(start + 0x20_0000n)) ? start : undefined;
}

/** What kernel it may have been, for the error: the first "Linux version " in memory. */
function bannerText(memory: PhysicalMemory): string {
  const pattern = new TextEncoder().encode("Linux version ");
  for (const range of memory.dump.ranges) {
    const last = Math.floor(Number(range.end) / memory.pageSize);
    for (let pfn = Math.ceil(Number(range.start) / memory.pageSize); pfn < last; pfn++) {
      const slot = memory.page(pfn);
      if (typeof slot !== "number") continue;
      const page = new Uint8Array(memory.view.buffer, slot, memory.pageSize);
      const at = indexOfBytes(page, pattern);
      if (at < 0) continue;
      const text = String.fromCharCode(...page.subarray(at, Math.min(at + 80, page.length)));
      const match = /^Linux version \d+\.\d+[\x20-\x7e]*/.exec(text);
      if (match !== null) return `; memory holds the text "${match[0]}"`;
    }
  }
  return "";
}

function indexOfBytes(haystack: Uint8Array, needle: Uint8Array): number {
  for (let at = haystack.indexOf(needle[0] as number); at >= 0; at = haystack.indexOf(needle[0] as number, at + 1)) {
    let i = 1;
    while (i < needle.length && haystack[at + i] === needle[i]) i++;
    if (i === needle.length) return at;
  }
  return -1;
}
