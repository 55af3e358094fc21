/**
 * A division that the CPU cannot do (x86-64: divide error): the divisor is 0, or the quotient does not fit. Where the divisor came from is
 * followed as a bad pointer is. arm64 has no such exception: a division by 0 gives 0 there.
 *
 *   div %ecx          ecx = 0 ◄── loaded from (struct gadget_ep *)rbx->rate
 *   divl 0x8(%rbx)    memory holds 0
 */
import type { DecodedInstruction, Operand } from "../../arch/disassembler.ts";
import { hex16, virtual } from "../../bytes/address.ts";
import type { DiagnosisContext } from "../context.ts";
import type { Detector } from "../detector.ts";
import type { FaultCase } from "../fault/fault-case.ts";
import { instructionAt } from "../fault/instruction-at.ts";
import { valueOrigin } from "../fault/origin.ts";
import { sourceOf } from "../fault/source-of.ts";
import { faultEvidence, functionText } from "../fault/words.ts";
import type { Finding } from "../finding.ts";
import type { Check, Evidence } from "../verdict.ts";
import { objectAt } from "./argument.ts";
import { blameOf } from "./blame.ts";
import { comparedOperand } from "./compared.ts";
import { type Quotient, quotientOf } from "./quotient.ts";
import { framesOf, placeOfBlame } from "./trap-case.ts";

export const divide: Detector = {
  name: "divide error",
  classes: ["divide-error"],
  needs: ["the registers at the division"],
  refutedBy: ["the instruction is no division", "the divisor is not 0 and the quotient fits"],
  appliesTo: ({ subject }) => subject.event === undefined || subject.event.kind === "divide error",
  detect(context) {
    const fault = context.fault();
    if ("reason" in fault || fault.state.kind !== "divide error") return [];
    const instruction = instructionAt(context.kernel, fault.state.pc);
    return instruction === undefined || !/^i?div[bwlq]?$/.test(instruction.mnemonic) ? [] : [findingOf(context, fault, instruction)];
  },
};

interface Divisor {
  readonly text: string;
  readonly value: bigint | undefined;
  /** Bytes. */
  readonly size: number;
  readonly object?: NonNullable<Finding["object"]>;
  readonly origin?: string;
  readonly evidence: readonly Evidence[];
}

function findingOf(_context: DiagnosisContext, fault: FaultCase, instruction: DecodedInstruction): Finding {
  const [operand] = instruction.operands;
  const divisor = operand === undefined ? undefined : divisorOf(fault, instruction, operand);
  const blame = blameOf(fault.activations) ?? { activation: fault.guilty, level: fault.guiltyLevel, passed: [] };
  const frames = framesOf({ fault, blame });
  const checks: Check[] = fault.state.checks.map(({ what, agrees }) => ({ what, result: agrees ? "held" : "refuted" }));
  const isZero = divisor?.value === 0n;
  const known = fault.activations.at(0)?.registers ?? new Map<string, bigint>();
  const result = divisor?.value === undefined ? undefined : quotientOf(instruction.mnemonic, divisor.size, known, divisor.value);
  const overflows = result?.fits === false;
  checks.push(isZero ? { what: "the divisor is 0", result: "held" } : overflowCheck(result));
  const name = divisor?.text ?? "its divisor";
  return {
    class: "divide-error",
    title: `${functionText(blame.activation)} divides by ${name}${isZero ? ", which is 0" : overflows ? ": the quotient does not fit" : ""}`,
    checks,
    place: placeOfBlame(blame, frames),
    frames,
    ...(divisor?.object === undefined ? {} : { object: divisor.object }),
    ...(divisor?.origin === undefined ? {} : { origin: divisor.origin }),
    story: [
      `${instruction.mnemonic} in ${functionText(blame.activation)} divides by ${name}${isZero ? " = 0" : ""}.`,
      ...(overflows && result !== undefined && divisor !== undefined ? [overflowText(result, divisor.size)] : []),
      ...(divisor?.origin === undefined ? [] : [`The divisor was ${divisor.origin}.`]),
    ],
    evidence: [
      ...(divisor?.evidence ?? []),
      ...faultEvidence(fault),
      { claim: "the instruction that divides", command: `dis ${hex16(instruction.address)} 1`, values: [] },
    ],
  };
}

function overflowCheck(result: Quotient | undefined): Check {
  if (result === undefined) return { what: "the dividend and the divisor are known", result: "not possible" };
  const { dividend, divisor, quotient, fits } = result;
  return { what: `the quotient ${dividend} / ${divisor} = ${quotient} does not fit`, result: fits ? "refuted" : "held" };
}

function overflowText({ dividend, divisor, quotient }: Quotient, size: number): string {
  return `The divisor is not 0: ${dividend} / ${divisor} is ${quotient}, which ${8 * size} bits do not hold.`;
}

function divisorOf(fault: FaultCase, instruction: DecodedInstruction, operand: Operand): Divisor | undefined {
  const { kernel, activations, values } = fault;
  const size = operand.kind === "register" || operand.kind === "memory" ? operand.size : 8;
  const seen = comparedOperand(fault, 0, instruction, operand, { size, relation: "==" });
  if (operand.kind !== "register") {
    if (seen === undefined) return undefined;
    return {
      text: seen.text,
      value: seen.value,
      size,
      ...(seen.base === undefined ? {} : { object: objectAt(kernel, seen.base, typed(seen.container, seen.member)) }),
      evidence: memoryEvidence(seen.address, seen.read, seen.value),
    };
  }
  const whole = activations.at(0)?.registers.get(operand.full);
  if (whole === undefined) return seen === undefined ? undefined : { text: seen.text, value: seen.value, size, evidence: [] };
  const value = BigInt.asUintN(size * 8, whole);
  const origin = valueOrigin(kernel, activations, values, 0, operand.full, whole);
  const source = sourceOf({ bad: { origin } as NonNullable<FaultCase["bad"]> });
  const told = origin.steps.filter(({ kind }) => kind !== "lost").map(({ text }) => text);
  const text =
    seen?.named === true
      ? seen.text
      : source?.container !== undefined && source.member !== undefined
        ? `${source.container}.${source.member}`
        : operand.name;
  const base = source?.base;
  return {
    text,
    value,
    size,
    ...(base === undefined ? {} : { object: objectAt(kernel, base, typed(source?.container, source?.member)) }),
    ...(told.length === 0 ? {} : { origin: told.join("; ") }),
    evidence: memoryEvidence(source?.address, source?.size, source?.now),
  };
}

function typed(type: string | undefined, member: string | undefined) {
  return { ...(type === undefined ? {} : { type }), ...(member === undefined ? {} : { member }) };
}

function memoryEvidence(address: bigint | undefined, size: number | undefined, value: bigint | undefined): Evidence[] {
  if (address === undefined || size === undefined || value === undefined) return [];
  const values = size === 4 || size === 8 ? [{ address: virtual(address), value }] : [];
  return [
    {
      claim: `${hex16(address)}, where the divisor came from, holds ${value}`,
      command: `rd ${size === 8 ? "" : `-${size * 8} `}${hex16(address)} 1`,
      values,
    },
  ];
}
