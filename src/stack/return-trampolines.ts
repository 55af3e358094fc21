/**
 * Return addresses that the kernel itself replaced: the function-graph tracer, kretprobes and rethooks put a trampoline's address on the
 * stack and keep the true one aside. Source: kernel/trace/fgraph.c, kernel/kprobes.c, kernel/trace/rethook.c.
 *
 *   return_to_handler          task.ret_stack, task.curr_ret_stack
 *       6.11 on  words; the one below the top tells in its low 10 bits how far down its frame begins (commit 42675b723b48)
 *       before   struct ftrace_ret_stack[], curr_ret_stack = index of the newest
 *   arch_rethook_trampoline    task.rethooks ► rethook_node { llist, ret_addr, frame }          6.1 on
 *   __kretprobe_trampoline     task.kretprobe_instances ► kretprobe_instance { llist, ret_addr }   5.11 on
 *
 * The n-th trampoline met on the way out stands for the n-th newest entry.
 */
import { add, type VirtualAddress, virtual } from "../bytes/address.ts";
import { InquestError } from "../bytes/errors.ts";
import { containerOf } from "../kernel/field.ts";
import type { Kernel } from "../kernel/kernel.ts";

/** Deeper than any shadow stack (FTRACE_RETFUNC_DEPTH 50; SHADOW_STACK_SIZE one page) or list of probes. */
const MAX_ENTRIES = 1024;
const FRAME_OFFSET_MASK = 0x3ffn;

interface Trampoline {
  readonly address: VirtualAddress;
  readonly read: (kernel: Kernel, task: VirtualAddress, trampoline: VirtualAddress) => VirtualAddress[];
}

/** Trampolines of this kernel; empty on most. */
function trampolines(kernel: Kernel): readonly Trampoline[] {
  return kernel.memo(trampolines, () => {
    const found: Trampoline[] = [];
    for (const [symbol, read] of [
      ["return_to_handler", graphReturns],
      [
        "arch_rethook_trampoline",
        (k: Kernel, t: VirtualAddress, own: VirtualAddress) => listReturns(k, t, own, "rethooks", "rethook_node"),
      ],
      [
        "__kretprobe_trampoline",
        (k: Kernel, t: VirtualAddress, own: VirtualAddress) => listReturns(k, t, own, "kretprobe_instances", "kretprobe_instance"),
      ],
      [
        "kretprobe_trampoline",
        (k: Kernel, t: VirtualAddress, own: VirtualAddress) => listReturns(k, t, own, "kretprobe_instances", "kretprobe_instance"),
      ],
    ] as const) {
      const address = kernel.tryAddress(symbol);
      if (address !== undefined && !found.some((other) => other.address === address)) found.push({ address, read });
    }
    return found;
  });
}

/** Is this the address of a tracer's trampoline, which stands for a return address that ReturnTrampolines knows? */
export function isReturnTrampoline(kernel: Kernel, address: bigint): boolean {
  return trampolines(kernel).some((trampoline) => trampoline.address === address);
}

/** Translates trampolines of one task during one unwind. */
export class ReturnTrampolines {
  readonly #kernel: Kernel;
  readonly #task: VirtualAddress | undefined;
  readonly #returns = new Map<bigint, VirtualAddress[]>();

  constructor(kernel: Kernel, task: VirtualAddress | undefined) {
    this.#kernel = kernel;
    this.#task = task;
  }

  /** The true return address; the same one when it is no trampoline, undefined when it is one and the true address is lost. */
  recover(pc: VirtualAddress): VirtualAddress | undefined {
    const trampoline = trampolines(this.#kernel).find((candidate) => candidate.address === pc);
    if (trampoline === undefined) return pc;
    if (this.#task === undefined) return undefined;
    let rest = this.#returns.get(pc);
    if (rest === undefined) {
      rest = this.#read(trampoline, this.#task);
      this.#returns.set(pc, rest);
    }
    return rest.shift();
  }

  #read(trampoline: Trampoline, task: VirtualAddress): VirtualAddress[] {
    try {
      return trampoline.read(this.#kernel, task, trampoline.address);
    } catch (error) {
      if (error instanceof InquestError) return [];
      throw error;
    }
  }
}

function graphReturns(kernel: Kernel, task: VirtualAddress): VirtualAddress[] {
  const struct = kernel.types.struct("task_struct");
  const stack = struct.tryField("ret_stack")?.pointer(task);
  const top = struct.tryField("curr_ret_stack")?.number(task);
  const entry = kernel.types.tryStruct("ftrace_ret_stack");
  const found: VirtualAddress[] = [];
  if (stack === undefined || stack === 0n || top === undefined || entry === undefined) return found;
  const ret = entry.field("ret");
  // Since 6.11 the tracer's own place in a frame is said by a word type, whose name the kernel's enum keeps.
  const words = kernel.types.constant("FGRAPH_TYPE_BITMAP") !== undefined;
  if (!words) {
    for (let index = Math.min(top, MAX_ENTRIES); index >= 0; index--) found.push(ret.pointer(add(stack, index * entry.size)));
    return found;
  }
  for (let index = top; index > 0 && found.length < MAX_ENTRIES; ) {
    const length = Number(kernel.memory.u64(add(stack, (index - 1) * 8)) & FRAME_OFFSET_MASK);
    if (length === 0 || length > index) break;
    index -= length;
    found.push(ret.pointer(add(stack, index * 8)));
  }
  return found;
}

function listReturns(kernel: Kernel, task: VirtualAddress, own: VirtualAddress, member: string, type: string): VirtualAddress[] {
  const first = kernel.types.struct("task_struct").tryField(`${member}.first`);
  const struct = kernel.types.tryStruct(type);
  const link = struct?.tryField("llist");
  const returns = struct?.tryField("ret_addr");
  const found: VirtualAddress[] = [];
  if (first === undefined || link === undefined || returns === undefined) return found;
  for (let node = first.pointer(task), steps = 0; node !== 0n && steps < MAX_ENTRIES; node = virtual(kernel.memory.u64(node)), steps++) {
    const address = returns.pointer(containerOf(node, link));
    // Several probes on one frame: only the last of them knows where it really returns.
    if (address !== own) found.push(address);
  }
  return found;
}
