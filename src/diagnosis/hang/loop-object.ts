/**
 * What a loop looks at to end: of the innermost loop around the instruction that was struck, the member that is read and then compared.
 *
 *   1:  mov 0x8(%rbx),%rax       ring->tail            ◄ read
 *       cmp %rax,%rdx            compared
 *       jne 1b                   the loop
 */

import type { DecodedInstruction } from "../../arch/disassembler.ts";
import type { VirtualAddress } from "../../bytes/address.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { type FunctionFlow, flowOf, type OperandFact } from "../../type-flow/function-flow.ts";
import { Activations } from "../fault/activation.ts";
import { KnownValues } from "../fault/known-values.ts";
import { typedFlow } from "../fault/typed-flow.ts";
import type { Finding } from "../finding.ts";
import { guarded } from "./guarded.ts";
import type { StoppedCpu } from "./stopped-cpu.ts";

/** Instructions after a load within which its result is compared. */
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
      const facts = flow.at(at);
      const read = facts?.operands.find(
        ({ memory, container, member }) => memory.access === "read" && container !== undefined && member !== undefined,
      );
      if (facts === undefined || read === undefined) return [];
      const own = TESTS.test(facts.instruction.mnemonic);
      const later = loop
        .slice(position + 1, position + 1 + NEAR)
        .some((next) => testsOne(flow.at(next)?.instruction, facts.instruction.writes));
      return own || later ? [read] : [];
    });
    const [first] = found;
    return first === undefined ? undefined : objectOf(first, frame.registers.record());
  });
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

function testsOne(instruction: DecodedInstruction | undefined, registers: readonly string[]): boolean {
  return instruction !== undefined && TESTS.test(instruction.mnemonic) && instruction.reads.some((each) => registers.includes(each));
}

function objectOf(
  { container, member, memory, offset }: OperandFact,
  registers: Readonly<Record<string, bigint | undefined>>,
): Finding["object"] {
  const base = memory.base === undefined ? undefined : registers[memory.base];
  const start = base === undefined || offset === undefined ? undefined : BigInt.asUintN(64, base + memory.displacement - BigInt(offset));
  return {
    ...(container === undefined ? {} : { type: container }),
    ...(member === undefined ? {} : { member }),
    ...(start === undefined ? {} : { address: start }),
  };
}
