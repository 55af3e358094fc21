/**
 * ORC, the unwind table of x86-64 kernels. Sources: arch/x86/include/asm/orc_types.h and arch/x86/kernel/unwind_orc.c.
 *
 *   orc_unwind_ip   s32[n]   address of the element + its value = first instruction that entry i covers; ascending
 *   orc_unwind      n × 6 bytes   │ s16 sp_offset │ s16 bp_offset │ u16 flags │
 *
 *   flags   v1 4.14  sp:4 bp:4 type:2 end:1                 type 0 call, 1 regs, 2 regs_partial
 *           v2 6.3   sp:4 bp:4 type:2 signal:1 end:1        (ffb1b4a41016)
 *           v3 6.4   sp:4 bp:4 type:3 signal:1              type 0 undefined, 1 end_of_stack, 2 call, 3 regs, 4 regs_partial (fb799447ae29)
 *           v4 7.1   as v3, registers numbered anew
 *
 * Distributions backport these (RHEL 9.6, 5.14, has v3 without a header), so the version comes from the 20-byte orc_header where its
 * hash is known, else from the entries.
 */
import { add, type VirtualAddress } from "../bytes/address.ts";
import { FormatError } from "../bytes/errors.ts";
import type { MemoryReader } from "./memory-reader.ts";

export type OrcVersion = 1 | 2 | 3 | 4;

/** What a saved register is found from. "prev_sp" is the caller's stack pointer; the indirect ones are read from memory first. */
export type OrcRegister =
  | "undefined"
  | "prev_sp"
  | "ax"
  | "dx"
  | "di"
  | "bp"
  | "sp"
  | "r10"
  | "r13"
  | "bp_indirect"
  | "sp_indirect"
  | "unknown";

/**
 * - undefined: no information, the unwinder must stop unsuccessfully;
 * - end_of_stack: the outermost frame;
 * - call: an ordinary frame, return address below prev_sp;
 * - regs, regs_partial: a struct pt_regs, or its hardware part alone, lies at the computed stack pointer.
 */
export type OrcType = "undefined" | "end_of_stack" | "call" | "regs" | "regs_partial" | "unknown";

/** One row, the same for all versions. */
export interface OrcEntry {
  readonly spReg: OrcRegister;
  readonly spOffset: number;
  readonly bpReg: OrcRegister;
  readonly bpOffset: number;
  readonly type: OrcType;
  /** The frame was interrupted here, so the pc is the next instruction to run and not a return address. */
  readonly signal: boolean;
}

const ENTRY = 6;

const REGISTERS_V1: readonly OrcRegister[] = [
  "undefined",
  "prev_sp",
  "dx",
  "di",
  "bp",
  "sp",
  "r10",
  "r13",
  "bp_indirect",
  "sp_indirect",
  // Added late (6.19) without a change of layout.
  "ax",
];
const REGISTERS_V4: readonly OrcRegister[] = [
  "undefined",
  "ax",
  "dx",
  "sp",
  "bp",
  "di",
  "r10",
  "r13",
  "prev_sp",
  "sp_indirect",
  "bp_indirect",
];
const TYPES_V1: readonly OrcType[] = ["call", "regs", "regs_partial"];
const TYPES_V3: readonly OrcType[] = ["undefined", "end_of_stack", "call", "regs", "regs_partial"];

/** SHA-1 of the definitions in orc_types.h as scripts/orc_hash.sh makes it; header since 6.4 (b9f174c811e3). */
const HASHES: Readonly<Record<string, OrcVersion>> = {
  fe5d32bf581bd63b2ca9a5c65ba5a625eab3fe24: 3,
  // With ORC_REG_AX.
  edfa4d15552fdd2e1d56679728416379f2fe4534: 3,
  "137c36ad7627c4dd55932176bb0ecdbd5041fc82": 4,
};

/** Version by the header; undefined when the hash is not known. */
export function orcVersionOfHeader(header: Uint8Array): OrcVersion | undefined {
  const hash = Array.from(header.subarray(0, 20), (byte) => byte.toString(16).padStart(2, "0")).join("");
  return Object.hasOwn(HASHES, hash) ? HASHES[hash] : undefined;
}

/**
 * Version by what the entries say. Nearly every entry is an ordinary frame found from SP: its type is 0 in v1 and v2 and 2 in v3 and v4;
 * SP is 5 up to v3 and 3 in v4. The end of a stack is bit 10 in v1, and bit 11 in v2, where v1 has nothing.
 */
export function orcVersionOfEntries(entries: Uint8Array): OrcVersion {
  const view = new DataView(entries.buffer, entries.byteOffset, entries.byteLength);
  let newTypes = 0;
  let newSp = 0;
  let oldSp = 0;
  let bit11 = 0;
  let count = 0;
  for (let at = 4; at + 2 <= view.byteLength; at += ENTRY) {
    const flags = view.getUint16(at, true);
    count++;
    if ((flags & 0x0700) === 0x0200) newTypes++;
    if ((flags & 0x0800) !== 0) bit11++;
    if ((flags & 15) === 5) oldSp++;
    else if ((flags & 15) === 3) newSp++;
  }
  if (newTypes * 2 > count) return newSp > oldSp ? 4 : 3;
  return bit11 > 0 ? 2 : 1;
}

/** Decodes one entry of six bytes. */
export function decodeOrcEntry(spOffset: number, bpOffset: number, flags: number, version: OrcVersion): OrcEntry {
  const registers = version === 4 ? REGISTERS_V4 : REGISTERS_V1;
  const spReg = registers[flags & 15] ?? "unknown";
  const bpReg = registers[(flags >>> 4) & 15] ?? "unknown";
  let type: OrcType;
  let signal: boolean;
  if (version >= 3) {
    type = TYPES_V3[(flags >>> 8) & 7] ?? "unknown";
    signal = (flags & 0x0800) !== 0;
  } else {
    type = TYPES_V1[(flags >>> 8) & 3] ?? "unknown";
    // Before 6.3 every frame with registers was an interrupted one.
    signal = version === 2 ? (flags & 0x0400) !== 0 : type !== "call";
    const end = (flags & (version === 2 ? 0x0800 : 0x0400)) !== 0;
    if (spReg === "undefined") type = end ? "end_of_stack" : "undefined";
  }
  return { spReg, spOffset, bpReg, bpOffset, type, signal };
}

/** Where a table lies: __start_orc_unwind_ip, __start_orc_unwind of the kernel; module.arch.orc_unwind_ip, .orc_unwind, .num_orcs. */
export interface OrcLocation {
  readonly ip: VirtualAddress;
  readonly entries: VirtualAddress;
  readonly count: number;
}

/** One sorted table, searched in place: a look-up reads 18 words and not the 4 MB of the table. */
export class OrcTable {
  readonly version: OrcVersion;
  readonly count: number;
  readonly #memory: MemoryReader;
  readonly #ip: VirtualAddress;
  readonly #entries: VirtualAddress;

  /** @param version that of the kernel for a module's table */
  constructor(memory: MemoryReader, at: OrcLocation, version: OrcVersion) {
    if (!Number.isInteger(at.count) || at.count < 0 || at.count > 1 << 24) throw new FormatError("orc_unwind", `${at.count} entries`);
    this.#memory = memory;
    this.#ip = at.ip;
    this.#entries = at.entries;
    this.count = at.count;
    this.version = version;
  }

  /** Opens the kernel's table. @param header address of __start_orc_header, if there is one */
  static open(memory: MemoryReader, at: OrcLocation, header: VirtualAddress | undefined): OrcTable {
    const known = header === undefined ? undefined : orcVersionOfHeader(memory.bytes(header, 20));
    return new OrcTable(memory, at, known ?? sampleVersion(memory, at));
  }

  /** The entry that covers a pc; undefined before the first one. Throws FaultError when the table cannot be read. */
  find(pc: VirtualAddress): OrcEntry | undefined {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.address(middle) <= pc) low = middle + 1;
      else high = middle;
    }
    return low === 0 ? undefined : this.entry(low - 1);
  }

  /** First address that entry `index` covers. */
  address(index: number): VirtualAddress {
    const place = add(this.#ip, index * 4);
    return add(place, this.#memory.u32(place) | 0);
  }

  entry(index: number): OrcEntry {
    const place = add(this.#entries, index * ENTRY);
    const sp = (this.#memory.u16(place) << 16) >> 16;
    const bp = (this.#memory.u16(add(place, 2)) << 16) >> 16;
    return decodeOrcEntry(sp, bp, this.#memory.u16(add(place, 4)), this.version);
  }
}

/** The first entries have the entry code with its ends of stacks, the middle has ordinary functions. */
function sampleVersion(memory: MemoryReader, at: OrcLocation): OrcVersion {
  const head = Math.min(at.count, 8192);
  const middle = Math.min(at.count - head, 8192);
  const sample = new Uint8Array((head + middle) * ENTRY);
  sample.set(memory.bytes(at.entries, head * ENTRY));
  if (middle > 0) sample.set(memory.bytes(add(at.entries, ((at.count - middle) >>> 1) * ENTRY), middle * ENTRY), head * ENTRY);
  return orcVersionOfEntries(sample);
}
