/**
 * What a loop looks at to end: of the innermost loop around the instruction that was struck, the member that is read and then compared.
 *
 *   1:  mov 0x8(%rbx),%rax       ring->tail            ◄ read
 *       cmp %rax,%rdx            compared
 *       jne 1b                   the loop
 *
 * A sequence counter is odd while a writer is at work (include/linux/seqlock.h): its readers go round until it is even.
 */

import { type VirtualAddress, virtual } from "../../bytes/address.ts";
import { sizeOf } from "../../debug-info/c-type.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { type FunctionFlow, flowOf, type OperandFact } from "../../type-flow/function-flow.ts";
import type { Origin } from "../../type-flow/origin.ts";
import { Activations } from "../fault/activation.ts";
import { KnownValues } from "../fault/known-values.ts";
import { typedFlow } from "../fault/typed-flow.ts";
import type { Finding } from "../finding.ts";
import { guarded } from "../guarded.ts";
import type { StoppedCpu } from "./stopped-cpu.ts";

/** Instructions before a comparison among which the load of what it compares is looked for. */
const NEAR = 4;
const TESTS = /^(?:cmp|test|bt|tst|cbz|cbnz|tbz|tbnz|ccmp)/;

export function loopObject(kernel: Kernel, { stack, struck, guilty, cpu, task }: StoppedCpu): Finding["object"] | undefined {
  return guarded(() => {
    const index = guilty ?? struck;
    const frame = stack.frames[index];
    if (frame === undefined) return undefined;
    const pc = (index === struck ? frame.pc : frame.pc - 1n) as VirtualAddress;
    const activations = new Activations(kernel, frame.pc, frame.registers, stack, index);
    const values = new KnownValues(kernel, activations, cpu, task.address);
    const plain = flowOf(kernel, pc);
    const flow = typedFlow(kernel, activations, values, 0, plain);
    const loop = innermostLoop(flow, pc);
    if (loop === undefined) return undefined;
    const found = loop.flatMap((at, position) => {
      const instruction = flow.at(at)?.instruction;
      if (instruction === undefined || !TESTS.test(instruction.mnemonic)) return [];
      const direct = readOf(flow, at);
      if (direct !== undefined) return [direct];
      return instruction.reads.flatMap((register) => {
        // What gave the register its value last.
        const from = loop
          .slice(Math.max(0, position - NEAR), position)
          .findLast((each) => flow.at(each)?.instruction.writes.includes(register));
        const read = from === undefined ? undefined : readOf(flow, from);
        return read === undefined ? [] : [read];
      });
    });
    // Nearest to where the loop is closed.
    const last = found.at(-1);
    if (last !== undefined) return objectOf(kernel, last, frame.registers.record());
    const bound = boundOf(flow, loop);
    return bound === undefined ? undefined : boundObject(kernel, bound, values);
  });
}

type Load = Extract<Origin, { readonly kind: "load" }>;

/**
 * A loop that reads nothing it compares counts to a bound: a register that the loop does not write, loaded before it.
 *
 *       movzwl (%r13),%ebp       bank->count           ◄ read once
 *   1:  …                                              counts
 *       cmp %bp,%ax ; jb 1b
 */
function boundOf(flow: FunctionFlow, loop: readonly bigint[]): Load | undefined {
  const closing = loop.findLast((at) => TESTS.test(flow.at(at)?.instruction.mnemonic ?? ""));
  if (closing === undefined) return undefined;
  const written = new Set(loop.flatMap((at) => flow.at(at)?.instruction.writes ?? []));
  const loads = (flow.at(closing)?.instruction.reads ?? []).flatMap((register): Load[] => {
    const origin = written.has(register) ? undefined : flow.originOf(closing, register);
    return origin?.kind === "load" && origin.container !== undefined && origin.member !== undefined ? [origin] : [];
  });
  return loads.length === 1 ? loads[0] : undefined;
}

function boundObject({ memory }: Kernel, { container, member, offset, from, type }: Load, values: KnownValues): Finding["object"] {
  const start = from === undefined ? undefined : values.of(0, from)?.value;
  const size = type === undefined ? undefined : sizeOf(type);
  const at = start === undefined ? undefined : virtual(BigInt.asUintN(64, start + offset));
  const bytes = at === undefined || size === undefined || size < 1 || size > 8 ? undefined : memory.tryBytes(at, size);
  const value = bytes === undefined ? undefined : bytes.reduceRight((all, byte) => (all << 8n) | BigInt(byte), 0n);
  return {
    ...(container === undefined ? {} : { type: container }),
    ...(member === undefined ? {} : { member }),
    ...(start === undefined ? {} : { address: start }),
    ...(value === undefined ? {} : { state: `${value}: the loop counts to it` }),
  };
}

/** An instruction stands in a loop of its own function. */
export function isInLoop(kernel: Kernel, pc: VirtualAddress): boolean {
  return guarded(() => innermostLoop(flowOf(kernel, pc), pc) !== undefined) ?? false;
}

/** Addresses of the smallest loop around an instruction: from where a jump behind it leads back to. */
function innermostLoop(flow: FunctionFlow, pc: bigint): readonly bigint[] | undefined {
  let best: { readonly start: bigint; readonly end: bigint } | undefined;
  for (const at of flow.addresses) {
    if (at < pc) continue;
    for (const operand of flow.at(at)?.instruction.operands ?? []) {
      if (operand.kind !== "target" || operand.address > pc) continue;
      if (!flow.parts.some(({ start, end }) => operand.address >= start && operand.address < end)) continue;
      if (best === undefined || at - operand.address < best.end - best.start) best = { start: operand.address, end: at };
    }
  }
  const found = best;
  return found === undefined ? undefined : flow.addresses.filter((at) => at >= found.start && at <= found.end);
}

/** The member that an instruction reads. */
function readOf(flow: FunctionFlow, at: bigint): OperandFact | undefined {
  return flow
    .at(at)
    ?.operands.find(({ memory, container, member }) => memory.access === "read" && container !== undefined && member !== undefined);
}

function objectOf(
  { memory: dump }: Kernel,
  { container, member, memory, offset }: OperandFact,
  registers: Readonly<Record<string, bigint | undefined>>,
): Finding["object"] {
  const base = memory.base === undefined ? undefined : registers[memory.base];
  const start = base === undefined || offset === undefined ? undefined : BigInt.asUintN(64, base + memory.displacement - BigInt(offset));
  const value = start === undefined || offset === undefined ? undefined : dump.tryU32(virtual(start + BigInt(offset)));
  const odd = value !== undefined && value % 2 === 1 && isSequence(container, member);
  return {
    ...(container === undefined ? {} : { type: container }),
    ...(member === undefined ? {} : { member }),
    ...(start === undefined ? {} : { address: start }),
    ...(odd ? { state: `${value}: odd, as while a writer is at work` } : {}),
  };
}

/** seqcount_t.sequence, also inside seqlock_t and seqcount_spinlock_t and their kin. */
export function isSequence(type: string | undefined, member: string | undefined): boolean {
  return (
    member !== undefined && (/(?:^|\.)seqcount\.sequence$/.test(member) || (member === "sequence" && /^struct seqcount\b/.test(type ?? "")))
  );
}
