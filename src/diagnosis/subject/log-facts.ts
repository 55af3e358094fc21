/**
 * What the kernel printed of the CPU's state in one report: the witness that the registers found in memory are held against, and all that
 * is left where the stack of the fault is gone. Formats: show_regs() and __show_regs() of both machines, show_fault_oops() (x86),
 * mem_abort_decode() (arm64).
 *
 *   RIP: 0010:lab_fault_map_segment+0x85/0x93 [lab_fault]        pc : lab_fault_map_segment+0xa0/0xc8 [lab_fault]
 *   RSP: 0018:ff5c684bc0013cd8 EFLAGS: 00000206                  sp : ffff80001002bbf0
 *   RAX: 0000000000005400 RBX: 0000000000000000 RCX: …           x29: ffff80001002bbf0 x28: ffff700c41debd00
 *
 * CR2 is printed late: when the kernel failed to read the code bytes before, it is the address of those. The head's address is taken.
 */
import type { VirtualAddress } from "../../bytes/address.ts";
import { virtual } from "../../bytes/address.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { LogRecord } from "../../linux/log-record.ts";
import type { LogEvent } from "./log-events.ts";

export interface LoggedCode {
  readonly name: string;
  readonly offset: number;
  readonly size: number;
  readonly module?: string;
}

export interface LogFacts {
  /** Where the fault was: a place in a function, or a bare address. */
  readonly code?: LoggedCode | bigint;
  /** Registers by the names of the register file. */
  readonly registers: ReadonlyMap<string, bigint>;
  /** x86-64: of the page fault or other exception. arm64: ESR. */
  readonly errorCode?: bigint;
  readonly address?: bigint;
  readonly cpu?: number;
  readonly pid?: number;
  readonly comm?: string;
  /** "Code:" could not be printed: the code is not mapped, or CR2 was overwritten by the attempt. */
  readonly codeUnreadable?: true;
}

const REPORT_LENGTH = 120;
const END = /^---\[ end trace /;

const CODE =
  /^(?:RIP: (?:0010:|0008:)?|pc : )(?:\[<[0-9a-f]+>\] )?(?:(?<name>[A-Za-z_][\w.$]*)\+0x(?<offset>[0-9a-f]+)\/0x(?<size>[0-9a-f]+)(?: \[(?<module>[^\] ]+)[^\]]*\])?|(?:0x)?(?<bare>[0-9a-f]+)(?![\w:]))/;
const X86_REGISTER = /\bR(AX|BX|CX|DX|SI|DI|BP|08|09|1[0-5]): ([0-9a-f]{16})\b/g;
const X86_SP = /^RSP: (?:[0-9a-f]{4}:)?([0-9a-f]{16}) EFLAGS: ([0-9a-f]+)/;
const ARM_REGISTER = /\bx(\d{1,2}) ?: ([0-9a-f]{16})\b/g;
const CPU = /^CPU: (\d+) (?:UID: \d+ )?PID: (\d+) Comm: (.*?) (?:Kdump: loaded )?(?:Not tainted|Tainted|G\b|P\b)/;

/** Reads the report that an event begins, up to its end; lines of other contexts are passed over where the log tells them apart. */
export function logFacts(records: readonly LogRecord[], event: LogEvent): LogFacts {
  const registers = new Map<string, bigint>();
  const found: { -readonly [K in keyof LogFacts]: LogFacts[K] } = { registers };
  if (event.address !== undefined) found.address = event.address;
  let over = false;
  for (let index = event.index; index < records.length && index < event.index + REPORT_LENGTH && !over; index++) {
    const record = records[index] as LogRecord;
    if (event.caller !== undefined && record.caller !== event.caller) continue;
    for (const line of record.text.split("\n", 64)) {
      if (END.test(line)) over = true;
      readLine(line, found, registers);
    }
  }
  return found;
}

function readLine(line: string, found: { -readonly [K in keyof LogFacts]: LogFacts[K] }, registers: Map<string, bigint>): void {
  const code = found.code === undefined ? CODE.exec(line) : null;
  const place = code === null ? undefined : codeOf(code.groups ?? {});
  if (place !== undefined) found.code = place;
  // Behind the kernel's registers come those of user mode, with the same names.
  const keep = (name: string, text: string): void => {
    if (!registers.has(name)) registers.set(name, BigInt(`0x${text}`));
  };
  for (const [, name = "", value = ""] of line.matchAll(X86_REGISTER)) keep(`r${name.toLowerCase().replace(/^0/, "")}`, value);
  for (const [, number = "", value = ""] of line.matchAll(ARM_REGISTER)) keep(`x${number}`, value);
  const stack = X86_SP.exec(line);
  if (stack !== null) {
    keep("rsp", stack[1] as string);
    keep("rflags", stack[2] as string);
  }
  const sp = /^sp : ([0-9a-f]{16})/.exec(line);
  if (sp !== null) keep("sp", sp[1] as string);
  const pstate = /^pstate: ([0-9a-f]{8,16})/.exec(line);
  if (pstate !== null) keep("pstate", pstate[1] as string);
  const error =
    /^#PF: error_code\(0x([0-9a-f]+)\)/.exec(line) ??
    /^\s*ESR[ :]+(?:= )?(?:0x)?([0-9a-f]{8,16})/.exec(line) ??
    /^(?:Oops|general protection fault[^:]*)(?:: Oops)?: ([0-9a-f]{4}) \[#/.exec(line) ??
    /^Internal error: Oops(?: - [\w ]+)?: ([0-9a-f]{8,16}) \[#/.exec(line);
  if (error !== null) found.errorCode ??= BigInt(`0x${error[1]}`);
  const far = /^FAR: 0x([0-9a-f]+)/.exec(line);
  if (far !== null) found.address ??= BigInt(`0x${far[1]}`);
  if (/^Code: (?:Unable to access|Bad (?:RIP|PC))/.test(line)) found.codeUnreadable = true;
  const cpu = found.cpu === undefined ? CPU.exec(line) : null;
  if (cpu !== null) {
    found.cpu = Number(cpu[1]);
    found.pid = Number(cpu[2]);
    found.comm = cpu[3] as string;
  }
}

function codeOf({ name, offset, size, module, bare }: Record<string, string | undefined>): LoggedCode | bigint | undefined {
  if (name === undefined) return bare === undefined ? undefined : BigInt(`0x${bare}`);
  return {
    name,
    offset: Number.parseInt(offset ?? "0", 16),
    size: Number.parseInt(size ?? "0", 16),
    ...(module === undefined ? {} : { module }),
  };
}

/** The address of a place that the log names; undefined when no symbol, or more than one, has that name. */
export function addressOfCode(kernel: Kernel, code: LoggedCode | bigint | undefined): VirtualAddress | undefined {
  if (code === undefined) return undefined;
  if (typeof code === "bigint") return virtual(code);
  const all = kernel.symbols.allByName(code.name).filter(({ module }) => module === code.module);
  const [only] = all;
  return only === undefined || all.length > 1 ? undefined : virtual(only.address + BigInt(code.offset));
}
