/**
 * What following a function asks of the kernel around it: prototypes of what it calls, types of variables at addresses. A name may stand
 * for several static functions or variables; then nothing is said.
 */
import type { VirtualAddress } from "../bytes/address.ts";
import { add, distance, virtual } from "../bytes/address.ts";
import { type CType, type FunctionType, strip, type TypeSource } from "../debug-info/c-type.ts";
import type { KernelSymbol } from "../debug-info/symbols.ts";
import { isPerCpu } from "../kernel/expression/scope.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { PointerShape } from "./shape.ts";
import { veneerTarget } from "./veneer.ts";

/** A function by its address. */
export interface CalledFunction {
  readonly name: string;
  readonly module: string | undefined;
  /** undefined where it is not known, or does not hold for what the compiler made of the function. */
  readonly type: FunctionType | undefined;
}

/** A variable, and the byte of it that an address is. */
export interface VariableAt {
  readonly name: string;
  readonly module: string | undefined;
  readonly offset: number;
  readonly type: CType | undefined;
}

export interface FlowWorld {
  functionAt(address: VirtualAddress): CalledFunction | undefined;
  variableAt(address: bigint): VariableAt | undefined;
  /** A per-CPU variable by the address of its symbol, which is a small number before 6.15 on x86-64. */
  perCpuAt(address: bigint): VariableAt | undefined;
  /** struct task_struct, where the kernel has one. */
  readonly task: CType | undefined;
}

/** What the compiler made of a function by changing its parameters: `.isra`, `.constprop`, `.part`. */
const CHANGED = /\.(isra|constprop|part|cold|llvm)\b/;

/** Symbols at ends of sections: what lies behind them is no part of them. */
const END = /^(_end|_etext|_einittext|_edata|__bss_stop|__brk_limit|__init_end|__end_rodata|__end_of_kernel_reserve|_edata_loc)$/;

export function flowWorld(kernel: Kernel): FlowWorld {
  return kernel.memo(flowWorld, () => new KernelFlowWorld(kernel));
}

class KernelFlowWorld implements FlowWorld {
  readonly #kernel: Kernel;
  readonly #functions = new Map<bigint, CalledFunction | undefined>();
  readonly #variables = new Map<string, CType | undefined>();

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  get task(): CType | undefined {
    return this.#kernel.types.tryStruct("task_struct")?.type;
  }

  functionAt(address: VirtualAddress): CalledFunction | undefined {
    if (!this.#functions.has(address)) this.#functions.set(address, this.#functionAt(address));
    return this.#functions.get(address);
  }

  #functionAt(address: VirtualAddress): CalledFunction | undefined {
    const found = this.#kernel.symbols.byAddress(address);
    if (found === undefined || found.offset !== 0) {
      const target = veneerTarget(this.#kernel, address);
      return target === undefined ? undefined : this.functionAt(target);
    }
    const { name, module } = found.symbol;
    return { name, module, type: this.#described(address, name) ?? this.#byName(name, module) };
  }

  /** Debug information knows which function of that name it is. */
  #described(address: VirtualAddress, name: string): FunctionType | undefined {
    if (!this.#kernel.debugInfo.present || CHANGED.test(name)) return undefined;
    return this.#kernel.debugInfo.scopes(address).at(-1)?.type;
  }

  #byName(name: string, module: string | undefined): FunctionType | undefined {
    const { symbols, types } = this.#kernel;
    if (CHANGED.test(name) || symbols.allByName(name).length !== 1) return undefined;
    if (module === undefined) return types.prototype(name);
    types.loadModules();
    return functionOf(types.sources, module, name);
  }

  variableAt(address: bigint): VariableAt | undefined {
    if (!this.#kernel.arch.isKernelAddress(address)) return undefined;
    const found = this.#kernel.symbols.byAddress(virtual(address));
    if (found === undefined || "tTwWaA".includes(found.symbol.type)) return undefined;
    const { symbol, offset } = found;
    if ((symbol.size !== undefined && offset >= symbol.size) || END.test(symbol.name)) return undefined;
    return { name: symbol.name, module: symbol.module, offset, type: this.#typeOf(symbol.name, symbol.address) };
  }

  perCpuAt(address: bigint): VariableAt | undefined {
    // byAddress() gives no names to small numbers.
    const symbol = this.#kernel.symbols.neighbours(add(virtual(address), 1)).previous;
    if (symbol === undefined || !isPerCpu(this.#kernel, symbol)) return undefined;
    const offset = distance(virtual(address), symbol.address);
    if (symbol.size !== undefined && offset >= symbol.size) return undefined;
    const name = this.#unaliased(symbol);
    return { name, module: symbol.module, offset, type: this.#typeOf(name, symbol.address) };
  }

  /** x86-64 since 6.8: `const_pcpu_hot` is another name of `pcpu_hot`, as `const_current_task` is of `current_task` (asm/current.h). */
  #unaliased({ name, address }: KernelSymbol): string {
    const plain = /^const_(\w+)$/.exec(name)?.[1];
    return plain !== undefined && this.#kernel.tryAddress(plain) === address ? plain : name;
  }

  #typeOf(name: string, address: VirtualAddress): CType | undefined {
    const key = `${name}@${address}`;
    if (!this.#variables.has(key)) {
      const alone = this.#kernel.symbols.allByName(name).length === 1;
      const type = alone ? (this.#kernel.variableType(name) ?? this.#usual(name)) : undefined;
      this.#variables.set(key, type);
    }
    return this.#variables.get(key);
  }

  /** Per-CPU variables that every function meets, where the dump describes none: the task, and the stack's canary of x86-64. */
  #usual(name: string): CType | undefined {
    const { task } = this;
    if (name === "fixed_percpu_data") return this.#kernel.types.tryStruct(name)?.type;
    return name === "current_task" && task !== undefined ? { kind: "pointer", size: 8, target: task } : undefined;
  }
}

function functionOf(sources: readonly TypeSource[], owner: string, name: string): FunctionType | undefined {
  const found = sources.find((source) => source.owner === owner)?.find("function", name);
  return found?.kind === "function" ? found : undefined;
}

/** The variable as what a pointer to it leads to. */
export function shapeOfVariable({ type, offset }: VariableAt): PointerShape | undefined {
  if (type === undefined) return undefined;
  const plain = strip(type);
  // An array decays to its elements only when its own length does not matter.
  if (plain.kind === "void" || plain.kind === "function") return undefined;
  return { kind: "pointer", target: type, offset, stride: 0 };
}
