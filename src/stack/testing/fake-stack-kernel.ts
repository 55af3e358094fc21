/**
 * A made-up kernel with code and stacks: functions with unwind entries, call instructions where return addresses will point, a task with
 * a stack, per-CPU stacks.
 *
 *   const kernel = new FakeStackKernel("x86_64");
 *   kernel.define("schedule", 0xffff_ffff_8100_1000n, callRule(16));
 *   const back = kernel.call("schedule", 0x20, "__schedule");       return address schedule+0x20
 */
import { hex16, type VirtualAddress, virtual } from "../../bytes/address.ts";
import type { OrcEntry } from "../../debug-info/orc.ts";
import { KernelDebugInfo } from "../../kernel/debug-info.ts";
import { FakeKernel, type StructTable } from "../../linux/testing/fake-kernel.ts";

const X86_TABLE: StructTable = {
  task_struct: {
    thread_info: [0, "u64"],
    stack: [8, "u64"],
    on_cpu: [16, "u32"],
    cpu: [20, "u32"],

    thread: [24, "thread"],
  },
  thread: { sp: [0, "u64"] },
  thread_union: { stack: [0, "bytes16384"] },
  inactive_task_frame: {
    r15: [0, "u64"],
    r14: [8, "u64"],
    r13: [16, "u64"],
    r12: [24, "u64"],
    bx: [32, "u64"],
    bp: [40, "u64"],
    ret_addr: [48, "u64"],
  },
  ftrace_ops: { flags: [8, "u64"], next: [24, "u64"], trampoline: [32, "u64"], trampoline_size: [40, "u64"] },
  irq_stack: { stack: [0, "bytes16384"] },
  cea_exception_stacks: {
    DF_stack_guard: [0, "bytes4096"],
    DF_stack: [4096, "bytes8192"],
    NMI_stack_guard: [12288, "bytes4096"],
    NMI_stack: [16384, "bytes8192"],
  },
};

const ARM64_TABLE: StructTable = {
  task_struct: { thread_info: [0, "u64"], stack: [8, "u64"], on_cpu: [16, "u32"], cpu: [20, "u32"], thread: [24, "thread"] },
  thread: { cpu_context: [0, "cpu_context"] },
  cpu_context: { x19: [0, "u64"], fp: [80, "u64"], sp: [88, "u64"], pc: [96, "u64"] },
  thread_union: { stack: [0, "bytes16384"] },
  pt_regs: { regs: [0, "bytes272"], stackframe: [304, "bytes16"], $size: [336, ""] },
};

const META_TABLE: StructTable = {
  ...ARM64_TABLE,
  frame_record_meta: { fp: [0, "u64"], lr: [8, "u64"], type: [16, "u64"] },
};

const { inactive_task_frame: _since49, ...OLD_X86_TABLE } = X86_TABLE;

const TABLES = { x86_64: X86_TABLE, "x86_64 before 4.9": OLD_X86_TABLE, arm64: ARM64_TABLE, "arm64 with metadata": META_TABLE } as const;

export const TASK = virtual(0xffff_8880_0001_0000n);
export const STACK = virtual(0xffff_c900_0010_0000n);
export const STACK_END = virtual(STACK + 16384n);
export const IRQ_STACK = virtual(0xffff_c900_0020_0000n);
export const IRQ_END = virtual(IRQ_STACK + 16384n);
export const EXCEPTION_STACKS = virtual(0xffff_fe00_0010_0000n);
export const DF_END = virtual(EXCEPTION_STACKS + 12288n);
export const NMI_END = virtual(EXCEPTION_STACKS + 24576n);
const TEXT = 0xffff_ffff_8100_0000n;
const TEXT_END = 0xffff_ffff_8200_0000n;

interface FakeFunction {
  readonly name: string;
  readonly start: bigint;
  readonly rules: readonly (readonly [offset: number, entry: OrcEntry])[];
}

const SIZE = 0x1000n;

export class FakeStackKernel extends FakeKernel {
  override readonly arch = {
    name: "x86_64",
    pageSize: 4096,
    pageShift: 12,
    isKernelAddress: (address: bigint) => address >= 1n << 63n,
    // Bits 48–54 are where the test's arm64 keeps authentication codes.
    stripPointer: (address: bigint): VirtualAddress =>
      virtual(address >> 55n === 0n ? address : address | 0x7f_0000_0000_0000n | 0xff00_0000_0000_0000n),
  };
  readonly modules: readonly [] = [];
  /** None, unless a test gives it. */
  debugInfo = new KernelDebugInfo(undefined, () => []);
  readonly #functions: FakeFunction[] = [];
  /** With false the kernel has no ORC tables. */
  orcPresent = true;
  readonly orc: { readonly present: boolean; find(pc: bigint): OrcEntry | undefined };
  override readonly symbols: {
    byAddress(address: bigint): unknown;
    byName(name: string): { readonly address: VirtualAddress } | undefined;
    neighbours(address: bigint): { readonly next: { readonly address: VirtualAddress } | undefined };
  };

  constructor(machine: keyof typeof TABLES) {
    super(TABLES[machine]);
    this.arch.name = machine.startsWith("x86_64") ? "x86_64" : "aarch64";
    const self = this;
    this.orc = {
      get present() {
        return self.orcPresent && self.arch.name === "x86_64";
      },
      find: (pc) => {
        const found = this.#at(pc);
        if (found === undefined || !this.orcPresent) return undefined;
        return found.rules.findLast(([offset]) => found.start + BigInt(offset) <= pc)?.[1];
      },
    };
    this.symbols = {
      byAddress: (address) => {
        const found = this.#at(address);
        if (found === undefined) return undefined;
        return {
          symbol: { name: found.name, address: virtual(found.start), type: "T", module: undefined, size: undefined },
          offset: Number(address - found.start),
        };
      },
      byName: (name) => {
        const address = this.tryAddress(name);
        return address === undefined ? undefined : { address };
      },
      neighbours: (address) => {
        const next = this.#functions
          .map(({ start }) => start)
          .sort((a, b) => (a < b ? -1 : 1))
          .find((start) => start > address);
        return { next: next === undefined ? undefined : { address: virtual(next) } };
      },
    };
    this.symbol("_text", TEXT);
    this.symbol("_etext", TEXT_END);
    for (let at = STACK; at < STACK_END; at = virtual(at + 8n)) this.memory.put64(at, 0n);
    this.memory.put64(TASK + 8n, STACK);
    this.memory.put32(TASK + 16n, 0);
    this.memory.put32(TASK + 20n, 0);
    this.memory.put64(TASK + 24n, 0n);
  }

  #at(address: bigint): FakeFunction | undefined {
    return this.#functions.find((one) => address >= one.start && address < one.start + SIZE);
  }

  /** A function of 4 KiB at the next free place (or a given one) with one ORC entry, or several by offset. */
  define(
    name: string,
    rules: OrcEntry | readonly (readonly [number, OrcEntry])[] = [],
    start = TEXT + BigInt(this.#functions.length) * SIZE,
  ): bigint {
    this.#functions.push({ name, start, rules: "type" in rules ? [[0, rules]] : rules });
    this.symbol(name, start);
    this.memory.put64(start, 0n);
    return start;
  }

  start(name: string): bigint {
    const found = this.#functions.find((one) => one.name === name);
    if (found === undefined) throw new Error(`no function ${name}`);
    return found.start;
  }

  /** Writes a call to `target` right before name+offset, and returns that address: what the call pushes. "*" calls indirectly. */
  call(name: string, offset: number, target: string): bigint {
    const back = this.start(name) + BigInt(offset);
    if (this.arch.name === "x86_64") {
      if (target === "*") {
        this.memory.write(back - 2n, Uint8Array.of(0xff, 0xd0));
      } else {
        this.memory.write(back - 5n, Uint8Array.of(0xe8));
        this.memory.put32(back - 4n, Number(BigInt.asUintN(32, this.start(target) - back)));
      }
    } else if (target === "*") {
      this.memory.put32(back - 4n, 0xd63f_0100);
    } else {
      const words = BigInt.asUintN(26, (this.start(target) - (back - 4n)) >> 2n);
      this.memory.put32(back - 4n, 0x9400_0000 + Number(words));
    }
    return back;
  }

  /** Words from an address up. */
  words(address: bigint, ...words: readonly bigint[]): void {
    words.forEach((word, i) => {
      this.memory.put64(address + BigInt(i * 8), word);
    });
  }

  /** One CPU with an IRQ stack and exception stacks (x86-64), or an IRQ stack (arm64). */
  addCpuStacks(): void {
    const area = 0xffff_8880_0100_0000n;
    const symbol = (name: string, offset: bigint, value: bigint) => {
      this.symbol(name, area + offset);
      this.memory.put64(area + offset, value);
    };
    for (let at: bigint = IRQ_STACK; at < IRQ_END; at += 8n) this.memory.put64(at, 0n);
    for (let at: bigint = EXCEPTION_STACKS; at < NMI_END; at += 8n) this.memory.put64(at, 0n);
    if (this.arch.name === "x86_64") {
      symbol("hardirq_stack_ptr", 0n, IRQ_END - 8n);
      symbol("cea_exception_stacks", 8n, EXCEPTION_STACKS);
    } else {
      symbol("irq_stack_ptr", 0n, IRQ_STACK);
    }
  }
}

/** sp = register + offset, an ordinary call. */
export function callRule(spOffset: number, more: Partial<OrcEntry> = {}): OrcEntry {
  return { spReg: "sp", spOffset, bpReg: "undefined", bpOffset: 0, type: "call", signal: false, ...more };
}

/** pt_regs at sp + offset. */
export function regsRule(spOffset = 0, more: Partial<OrcEntry> = {}): OrcEntry {
  return callRule(spOffset, { type: "regs", signal: true, ...more });
}

export const END_RULE: OrcEntry = { spReg: "undefined", spOffset: 0, bpReg: "undefined", bpOffset: 0, type: "end_of_stack", signal: false };
export const UNDEFINED_RULE: OrcEntry = { ...END_RULE, type: "undefined" };

/** Words of x86-64 pt_regs. */
export function x86PtRegs(values: {
  readonly ip: bigint;
  readonly sp: bigint;
  readonly bp?: bigint;
  readonly user?: boolean;
  readonly r10?: bigint;
}): bigint[] {
  const { ip, sp, bp = 0n, user = false, r10 = 0n } = values;
  const [cs, ss] = user ? [0x33n, 0x2bn] : [0x10n, 0x18n];
  return [15n, 14n, 13n, 12n, bp, 0xbbn, 11n, r10, 9n, 8n, 0n, 0n, 0n, 0n, 0n, ~0n, ip, cs, 0x246n, sp, ss];
}

/** A frame in one line, for expectations: "#1 schedule+0x20 call". */
export function describeFrames(
  frames: readonly {
    readonly level: number;
    readonly function: string | undefined;
    readonly offset: number | undefined;
    readonly pc: bigint;
    readonly kind: string;
    readonly certainty: string;
  }[],
): string[] {
  return frames.map(({ level, function: name, offset, pc, kind, certainty }) => {
    const place = name === undefined ? hex16(pc) : `${name}+0x${(offset ?? 0).toString(16)}`;
    return `#${level} ${certainty === "guessed" ? "? " : ""}${place}${kind === "call" ? "" : ` ${kind}`}`;
  });
}
