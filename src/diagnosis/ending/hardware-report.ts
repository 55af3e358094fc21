/**
 * What the log says of failing hardware.
 *
 *   x86-64   mce: [Hardware Error]: CPU 1: Machine Check Exception: 5 Bank 4: be00000000800400      arch/x86/kernel/cpu/mce/core.c, print_mce()
 *            mce: [Hardware Error]: TSC … ADDR 3fff12340 MISC 8c
 *            NMI: PCI system error (SERR) for reason a1 on CPU 0.                                    arch/x86/kernel/nmi.c
 *   arm64    SError Interrupt on CPU1, code 0x00000000be000411 -- SError                             arch/arm64/kernel/traps.c
 *            Internal error: synchronous external abort: 96000210 [#1] SMP                           arch/arm64/mm/fault.c, do_sea()
 *   all      {1}[Hardware Error]: event severity: fatal                                              drivers/firmware/efi/cper.c
 *            {1}[Hardware Error]:   physical_address: 0x00000000c0ffee00
 *            EDAC MC0: 1 UE memory read error on … (… page:0x12345 offset:0x0 …)                     drivers/edac/edac_mc.c
 *            Memory failure: 0x12345: recovery action for dirty LRU page: Failed                     mm/memory-failure.c
 *
 * MCi_STATUS: VAL 63, OVER 62, UC 61, EN 60, MISCV 59, ADDRV 58, PCC 57; the error code is its low 16 bits (Intel SDM volume 3B, chapter
 * "Machine-Check Architecture").
 */
import type { LogRecord } from "../../linux/log-record.ts";

export interface HardwareReport {
  /** machine check, memory, bus, external abort … */
  readonly what: string;
  /** The first line that tells. */
  readonly text: string;
  readonly index: number;
  readonly time?: number;
  /** The machine could not go on, or data were lost: a corrected error is no cause. */
  readonly uncorrected: boolean;
  readonly cpu?: number;
  readonly bank?: number;
  readonly status?: bigint;
  /** Physical. */
  readonly address?: bigint;
}

type Parts = { -readonly [K in keyof HardwareReport]?: HardwareReport[K] };

interface Line {
  readonly pattern: RegExp;
  read(groups: Readonly<Record<string, string | undefined>>): Parts;
}

const hex = (text: string | undefined): bigint | undefined => (text === undefined ? undefined : BigInt(`0x${text}`));
const UC = 1n << 61n;
const PAGE_SHIFT = 12n;

const HEADS: readonly Line[] = [
  {
    pattern:
      /^mce: \[Hardware Error\]: CPU (?<cpu>\d+): Machine Check(?: Exception)?: (?<mcg>[0-9a-f]+) Bank (?<bank>\d+): (?<status>[0-9a-f]{1,16})/,
    read: ({ cpu, bank, status, mcg }) => {
      const word = hex(status) ?? 0n;
      // MCG_STATUS.MCIP: it came as an exception; else it was polled.
      const exception = ((hex(mcg) ?? 0n) & 4n) !== 0n;
      return { what: "machine check", cpu: Number(cpu), bank: Number(bank), status: word, uncorrected: exception || (word & UC) !== 0n };
    },
  },
  {
    pattern: /^Kernel panic - not syncing: (?:Fatal [Mm]achine check|Machine check|MCA architectural|Timeout: Not all CPUs entered)/,
    read: () => ({ what: "machine check", uncorrected: true }),
  },
  {
    pattern: /^\{\d+\}\[Hardware Error\]: event severity: (?<severity>\w+)/,
    read: ({ severity }) => ({ what: "error that the firmware reported", uncorrected: severity === "fatal" || severity === "recoverable" }),
  },
  {
    pattern: /^Kernel panic - not syncing: Fatal hardware error!/,
    read: () => ({ what: "error that the firmware reported", uncorrected: true }),
  },
  {
    pattern: /^EDAC (?<where>[A-Za-z]+\d+): \d+ (?<kind>CE|UE) (?:.*?page:0x(?<page>[0-9a-f]+) offset:0x(?<offset>[0-9a-f]+))?/,
    read: ({ kind, page, offset }) => {
      const frame = hex(page);
      return {
        what: "memory error",
        uncorrected: kind === "UE",
        ...(frame === undefined ? {} : { address: (frame << PAGE_SHIFT) + (hex(offset) ?? 0n) }),
      };
    },
  },
  {
    pattern: /^Kernel panic - not syncing: (?:EDAC|UE row|.*Uncorrected Error)/,
    read: () => ({ what: "memory error", uncorrected: true }),
  },
  {
    // mm/memory-failure.c, memory_failure(), with vm.memory_failure_recovery=0
    pattern: /^Kernel panic - not syncing: Memory failure on page (?<pfn>[0-9a-f]+)/,
    read: ({ pfn }) => ({ what: "memory failure", uncorrected: true, address: (hex(pfn) ?? 0n) << PAGE_SHIFT }),
  },
  {
    pattern: /^Memory failure: 0x(?<pfn>[0-9a-f]+): (?:recovery action for (?<page>.*): (?<result>\w+)|(?<other>.*))$/,
    read: ({ pfn, result }) => ({ what: "memory failure", address: (hex(pfn) ?? 0n) << PAGE_SHIFT, uncorrected: result === "Failed" }),
  },
  {
    pattern: /^SError Interrupt on CPU(?<cpu>\d+)/,
    read: ({ cpu }) => ({ what: "asynchronous external abort (SError)", cpu: Number(cpu), uncorrected: true }),
  },
  {
    pattern: /^Kernel panic - not syncing: Asynchronous SError Interrupt/,
    read: () => ({ what: "asynchronous external abort (SError)", uncorrected: true }),
  },
  {
    pattern: /^(?:Internal error: |Unhandled fault: )?synchronous (?:external abort|parity)/,
    read: () => ({ what: "synchronous external abort", uncorrected: true }),
  },
  {
    pattern: /^NMI: PCI system error \(SERR\) for reason (?<reason>[0-9a-f]+) on CPU (?<cpu>\d+)/,
    read: ({ cpu }) => ({ what: "PCI system error (SERR)", cpu: Number(cpu), uncorrected: true }),
  },
  {
    pattern: /^NMI: IOCK error \(debug interrupt\?\) for reason (?<reason>[0-9a-f]+) on CPU (?<cpu>\d+)/,
    read: ({ cpu }) => ({ what: "I/O check error (IOCK)", cpu: Number(cpu), uncorrected: true }),
  },
];

/** What the lines behind a head add. */
const MORE: readonly Line[] = [
  {
    pattern: /^mce: \[Hardware Error\]: TSC [0-9a-f]+ .*?ADDR (?<address>[0-9a-f]+)/,
    read: ({ address }) => ({ address: hex(address) ?? 0n }),
  },
  {
    pattern: /^\{\d+\}\[Hardware Error\]: +physical_address: 0x(?<address>[0-9a-f]+)/,
    read: ({ address }) => ({ address: hex(address) ?? 0n }),
  },
];
/** Lines that one report has; other CPUs' come between. */
const REPORT_LENGTH = 40;

/** All reports, oldest first. */
export function hardwareReports(records: readonly LogRecord[]): readonly HardwareReport[] {
  const found: HardwareReport[] = [];
  for (const [index, record] of records.entries()) {
    for (const text of record.text.split("\n", 16)) {
      const line = HEADS.find(({ pattern }) => pattern.test(text));
      if (line === undefined) continue;
      const parts = line.read(line.pattern.exec(text)?.groups ?? {});
      const time = record.nanoseconds === undefined ? {} : { time: Number(record.nanoseconds) / 1e9 };
      found.push({ what: "", uncorrected: false, ...more(records, index, parts), ...parts, text, index, ...time });
    }
  }
  return found;
}

function more(records: readonly LogRecord[], from: number, parts: Parts): Parts {
  if (parts.address !== undefined) return {};
  for (let index = from + 1; index < Math.min(records.length, from + REPORT_LENGTH); index++) {
    const { text } = records[index] as LogRecord;
    if (HEADS.some(({ pattern }) => pattern.test(text))) return {};
    for (const { pattern, read } of MORE) {
      const groups = pattern.exec(text)?.groups;
      if (groups !== undefined) return read(groups);
    }
  }
  return {};
}

/** MCi_STATUS in words. */
export function statusText(status: bigint): string {
  const bit = (at: bigint) => ((status >> at) & 1n) === 1n;
  const words = [bit(61n) ? "uncorrected" : "corrected"];
  if (bit(57n)) words.push("the processor's state is lost");
  if (bit(62n)) words.push("more errors were not recorded");
  words.push(codeText(Number(status & 0xffffn)));
  return words.join(", ");
}

/** MCA error codes (Intel SDM 3B, "Interpreting the MCA Error Codes"; AMD's are the same for the compound ones). */
function codeText(code: number): string {
  if (code === 0x0400) return "internal timer error";
  if (code === 0x0005) return "internal parity error";
  if ((code & 0xfc00) === 0x0400) return "internal error";
  if ((code & 0xef80) === 0x0080) return "memory controller error";
  if ((code & 0xeff0) === 0x0010) return "TLB error";
  if ((code & 0xef00) === 0x0100) return "cache error";
  if ((code & 0xe800) === 0x0800) return "bus or interconnect error";
  return `error code 0x${code.toString(16)}`;
}
