/**
 * What every report says of the machine and the moment: "CPU: 1 PID: 2 Comm: x …", hardware, modules, registers, the pc and the bytes at it.
 *
 * kernel/printk (dump_stack_print_info in lib/dump_stack.c), arch/*\/kernel/process*.c (show_regs), kernel/module (print_modules).
 */
import type { VerdictFrame } from "../verdict.ts";
import { frameLine, symbolIn } from "./frame-line.ts";
import type { LogLine, LogReport } from "./report.ts";

export interface MachineState {
  readonly machine?: NonNullable<LogReport["machine"]>;
  readonly cpu?: number;
  readonly pid?: number;
  readonly comm?: string;
  readonly release?: string;
  readonly hardware?: string;
  readonly taint?: string;
  readonly workqueue?: string;
  readonly modules: readonly string[];
  /** The link register, on machines that have one: where the function that was running, or the last one that it called, returns to. */
  readonly link?: VerdictFrame;
  readonly registers: ReadonlyMap<string, bigint>;
  readonly pc?: VerdictFrame;
  readonly code?: { readonly bytes: Uint8Array; readonly at: number };
  /** How many different tasks or CPUs said "CPU: … PID: …" before the trace. */
  readonly speakers: number;
}

/** The release is the first word behind the taint letters, and behind the dashes that RHEL keeps places with: "G  OE  ------------   3.10.0-327". */
const CPU_LINE =
  /CPU:? (\d+) (?:UID: \d+ )?PID: (\d+) Comm: (.*?) (?:\[?Kdump: loaded\]? )?(Not tainted|Tainted:(?: +[A-Z]{1,20}(?![\w.-]))*) +(?:-[- ]* (?:[A-Z]{1,20} +)*)?(\S+)/;
const CPU_LINE_LOOSE = /CPU:? (\d+) (?:UID: \d+ )?PID: (\d+) Comm: (\S+)/;
const OLD_PID_LINE = /^Pid: (\d+), comm: (.{1,20}?) +(Not tainted|Tainted:(?: +[A-Z-]+\b)*?) +\(?(\d\S+)/;
/** Until 2.6.2x on 32 bits, and other machines still: "Process find (pid: 2881, ti=…", "EFLAGS: 00010202   (2.6.18-6-686 #1)". */
const PROCESS_LINE = /^\s*Process (\S.{0,15}?) \(pid: (\d+),/;
const OLD_RELEASE = /^\s*EFLAGS: [0-9a-f]{8}\s+\((\S+) #/;
const PC_LINES: readonly RegExp[] = [
  /^\s*RIP: (?:e?[0-9a-f]{4}:)?(?!0033)(?:\s*\[<[0-9a-f]+>\]\s*)*(.*)$/,
  /^\s*(?:E?IP): (?:\[<[0-9a-f]+>\]\s*)?(?:is at )?(.*)$/,
  /^\s*EIP is at (.*)$/,
  /^\s*pc : (.*?)(?: lr : .*)?$/,
  /^\s*PC is at (.*)$/,
  /^\s*NIP \[[0-9a-f]+\] (.*)$/,
  /^\s*TPC: <(.*)>$/,
  /^\s*epc\s*: (?:[0-9a-f]{8,16} )?(.*)$/,
  /^\s*(?:epc|era)\s*(?::|=)\s*(?:[0-9a-f]{8,16} )(\S.*)$/,
  /^\s*Krnl PSW : [0-9a-f]+ [0-9a-f]+ \((.*)\)$/,
];
/** Behind the pc: arm64, arm, riscv, mips, powerpc. Loongarch prints it before. */
const LINK = /^\s*(?:lr : (?!\[<)|LR is at |ra : (?=[A-Za-z_])|ra {4}: [0-9a-f]{8,16} |LR \[[0-9a-f]+\] )(\S.*)$/;
const EARLY_LINK = /^\s*ra: [0-9a-f]{16} (\S.*)$/;
const REGISTER =
  /\b(R[ABCDSI][XPI]|R\d\d|E[A-DS][XPI]|EBP|CR[0-4]|EFLAGS|ORIG_RAX|FS|GS|x\d{1,2}|sp|lr|pstate|psr|r\d{1,2}|fp|ip|ra|gp|tp|[ast]\d{1,2}|badaddr|cause|status|GPR\d\d|LR|CTR|XER|DAR|DSISR|FAR_EL1)\s*(?:: |:|=)\s*(?:\d{4}:)?([0-9a-f]{8,16})\b/g;

export function machineState(lines: readonly LogLine[]): MachineState {
  const registers = new Map<string, bigint>();
  const speakers = new Set<string>();
  const state: { -readonly [Key in keyof MachineState]?: MachineState[Key] } = {};
  let modules: string[] = [];
  let userMode = false;
  for (const [index, { text }] of lines.entries()) {
    const cpu = CPU_LINE.exec(text);
    const loose = cpu ?? CPU_LINE_LOOSE.exec(text);
    if (loose !== null && !/^WARNING/.test(text)) {
      speakers.add(`${loose[1]}/${loose[2]}`);
      if (state.pid === undefined) {
        state.cpu = Number(loose[1]);
        state.pid = Number(loose[2]);
        state.comm = loose[3] ?? "";
        if (cpu !== null) {
          state.taint = (cpu[4] ?? "").replace(/^Tainted: */, "").replace(/\s+/g, " ");
          state.release = cpu[5] ?? "";
        }
      }
    }
    const old = OLD_PID_LINE.exec(text);
    if (old !== null && state.pid === undefined) {
      speakers.add(`old/${old[1]}`);
      state.pid = Number(old[1]);
      state.comm = old[2] ?? "";
      state.taint = (old[3] ?? "").replace(/^Tainted: /, "");
      state.release = old[4] ?? "";
    }
    const process = state.pid === undefined ? PROCESS_LINE.exec(text) : null;
    if (process !== null) {
      state.comm = process[1] ?? "";
      state.pid = Number(process[2]);
    }
    const oldRelease = state.release === undefined ? OLD_RELEASE.exec(text)?.[1] : undefined;
    if (oldRelease !== undefined) state.release = oldRelease;
    const hardware = /^Hardware name: (.*)$/.exec(text);
    if (hardware !== null) state.hardware ??= (hardware[1] ?? "").trim();
    const workqueue = /^Workqueue: (.*)$/.exec(text);
    if (workqueue !== null) state.workqueue ??= (workqueue[1] ?? "").trim();
    if (text.startsWith("Modules linked in:")) {
      const rest = [text.slice(18), ...lines.slice(index + 1, index + 20).map((line) => line.text)];
      const end = rest.findIndex((part, at) => at > 0 && !/^\s[\w(]/.test(part));
      modules = rest
        .slice(0, Math.max(1, end))
        .join(" ")
        .replace(/\[last unloaded.*$/, "")
        .trim()
        .split(/\s+/)
        .filter((name) => name !== "");
    }
    if (/^\s*(?:RIP|NIP|pc ).*(?:0033:|0023:)/.test(text)) userMode = true;
    if (!userMode) {
      const link = state.link === undefined ? (EARLY_LINK.exec(text) ?? (state.pc === undefined ? null : LINK.exec(text)))?.[1] : undefined;
      if (link !== undefined) state.link = symbolIn(link) ?? {};
      if (state.pc === undefined) {
        for (const pattern of PC_LINES) {
          const match = pattern.exec(text);
          if (match === null) continue;
          const pc = pcOf(match[1] ?? "");
          if (pc !== undefined) state.pc = pc;
          break;
        }
      }
      for (const match of text.matchAll(REGISTER)) {
        const name = (match[1] ?? "").toLowerCase();
        if (!registers.has(name)) registers.set(name, BigInt(`0x${match[2]}`));
      }
    }
    if (/^\s*Code: /.test(text) && state.code === undefined && !userMode) {
      const code = codeBytes(text);
      if (code !== undefined) state.code = code;
    }
  }
  const machine = machineOf(lines, registers);
  return { ...state, modules, registers, speakers: speakers.size, ...(machine === undefined ? {} : { machine }) };
}

/** What stands after "RIP:"; an address that is no symbol gives a frame without function. */
function pcOf(text: string): VerdictFrame | undefined {
  const [frame] = frameLine(` ${text.trim()}`);
  // Symbolised reports name the inlined functions first, each on a line of its own.
  if (frame?.inlined === true) return undefined;
  if (frame !== undefined && frame.doubtful !== true) return frame;
  const symbol = symbolIn(text);
  if (symbol !== undefined) return symbol;
  return /^(?:0x|\[<|\s*\(null\))/.test(text.trim()) || /^[0-9a-f]{8,16}$/.test(text.trim()) ? {} : undefined;
}

/** "Code: 48 8b <0f> 0b": bytes on x86, words in memory order elsewhere ("(d4210000)" is the one at the pc). */
function codeBytes(text: string): { bytes: Uint8Array; at: number } | undefined {
  const words = text
    .replace(/^\s*Code: /, "")
    .trim()
    .split(/\s+/);
  const bytes: number[] = [];
  let at = -1;
  for (const word of words.slice(0, 128)) {
    const digits = word.replace(/[<>()]/g, "");
    if (!/^(?:[0-9a-f]{2}){1,4}$/.test(digits)) return undefined;
    if (digits !== word) at = bytes.length;
    const parts = digits.match(/../g) ?? [];
    for (const part of parts.length > 1 ? parts.reverse() : parts) bytes.push(Number.parseInt(part, 16));
  }
  return at < 0 || bytes.length < 2 ? undefined : { bytes: Uint8Array.from(bytes), at };
}

function machineOf(lines: readonly LogLine[], registers: ReadonlyMap<string, bigint>): MachineState["machine"] | undefined {
  if (registers.has("rax") || registers.has("r15")) return "x86_64";
  if (registers.has("eax")) return "i386";
  if (registers.has("x29") || registers.has("x0")) return "arm64";
  if (registers.has("gpr00") || registers.has("xer")) return "ppc64";
  if (registers.has("badaddr") || registers.has("a7")) return "riscv";
  for (const { text } of lines) {
    if (/^\s*RIP: 0010:|entry_SYSCALL_64|x64_sys_|#PF: /.test(text)) return "x86_64";
    if (/ESR = 0x|\bel[01]_|el0t_64/.test(text)) return "arm64";
    if (/Krnl PSW/.test(text)) return "s390x";
    if (/^\s*TSTATE: [0-9a-f]{16} TPC: /.test(text)) return "sparc64";
    if (/, epc == [0-9a-f]+, ra == |^epc {3}: /.test(text)) return "mips";
    if (/, era == [0-9a-f]+, ra == |^ +ERA: /.test(text)) return "loongarch64";
    if (/^NIP |\[c0000000[0-9a-f]{8}\]/.test(text)) return "ppc64";
    if (/\) from \[<[0-9a-f]{8}>\]|\) from \w/.test(text)) return "arm";
  }
  return undefined;
}
