/**
 * The functions that were running, with all that is known of their values and types: calls through pointers are followed to what the pointer
 * held, and each function is typed by the call of it that is on the stack.
 */
import type { DecodedInstruction } from "../../arch/disassembler.ts";
import type { RegisterSet } from "../../arch/registers.ts";
import type { VirtualAddress } from "../../bytes/address.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { UnwoundStack } from "../../stack/frame.ts";
import { thunkRegister } from "../../type-flow/control-flow.ts";
import { Activations } from "./activation.ts";
import { KnownValues } from "./known-values.ts";
import { loadOrigin } from "./origin.ts";
import { typedFlow } from "./typed-flow.ts";

export interface TracedCalls {
  readonly activations: Activations;
  readonly values: KnownValues;
}

/** Where a CPU stood: its registers, and the frame of a stack that they belong to. */
export interface Standing {
  readonly pc: VirtualAddress;
  readonly registers: RegisterSet;
  readonly stack?: UnwoundStack;
  readonly frame?: number;
}

/**
 * @param cpu for per-CPU variables
 * @param task for `current` of arm64
 */
export function tracedCalls(
  kernel: Kernel,
  { pc, registers, stack, frame }: Standing,
  cpu: number | undefined,
  task: VirtualAddress | undefined,
): TracedCalls {
  const activations = new Activations(kernel, pc, registers, stack, frame);
  const values = new KnownValues(kernel, activations, cpu, task);
  activations.followBy((level, call) => targetOf(kernel, activations, values, level, call));
  activations.retypeBy((level, plain) => typedFlow(kernel, activations, values, level, plain));
  return { activations, values };
}

/** What a call through a pointer led to: the register's value, or what lies where it is loaded from. */
function targetOf(
  kernel: Kernel,
  activations: Activations,
  values: KnownValues,
  level: number,
  { address, operands }: DecodedInstruction,
): bigint | undefined {
  const flow = activations.at(level)?.flow;
  const [operand] = operands;
  if (flow === undefined || operand === undefined) return undefined;
  if (operand.kind === "memory") return loadOrigin(kernel, activations, values, level, address, 0n)?.steps[0]?.load?.now;
  const thunk = operand.kind === "target" ? thunkRegister(kernel.symbols.byAddress(operand.address)?.symbol.name ?? "") : undefined;
  const register = operand.kind === "register" ? operand.full : thunk;
  return register === undefined ? undefined : values.of(level, flow.originOf(address, register))?.value;
}
