/**
 * The CPU did not know the instruction, and it is not one by which the kernel traps itself (ud2, brk: BUG(), WARN()). Either the code asks
 * for what this CPU lacks, or the bytes are not what the compiler wrote, or the CPU came into the middle of an instruction.
 */

import { hex16, virtual } from "../../../bytes/address.ts";
import type { Finding } from "../../finding.ts";
import type { Check } from "../../verdict.ts";
import type { FaultCase } from "../fault-case.ts";
import type { FaultDetector } from "../fault-detector.ts";
import { instructionAt } from "../instruction-at.ts";
import { faultEvidence, functionText, stateChecks } from "../words.ts";

/** Bytes of an instruction that are shown. */
const SHOWN = 8;

export const invalidOpcode: FaultDetector = {
  class: "invalid-opcode",
  needs: [],
  refutedBy: ["the instruction is the kernel's own trap: an assertion failed", "the address is no code"],
  detect(fault: FaultCase): Finding | undefined {
    const { state, kernel, guilty, activations } = fault;
    if (state.kind !== "invalid opcode") return undefined;
    const { pc } = state;
    const instruction = instructionAt(kernel, pc);
    if (instruction?.flow === "trap") return undefined;
    const symbol = kernel.arch.isKernelAddress(pc) ? kernel.symbols.byAddress(pc)?.symbol : undefined;
    const isCode = symbol !== undefined && "tTwW".includes(symbol.type);
    const flow = activations.at(0)?.flow;
    const bytes = kernel.memory.tryBytes(virtual(pc), kernel.arch.name === "aarch64" ? 4 : SHOWN);
    const text = bytes === undefined ? "" : [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
    const isStart = flow?.at(pc) !== undefined;
    const checks: Check[] = [
      ...stateChecks(fault),
      { what: `${hex16(pc)} is code`, result: isCode ? "held" : "refuted" },
      {
        what: isStart ? "the function's instructions lead there one after the other" : "an instruction begins there",
        result: isStart ? "held" : "not possible",
      },
    ];
    const name = instruction === undefined ? `the bytes ${text}` : instruction.mnemonic;
    return {
      class: "invalid-opcode",
      title: `${functionText(guilty)} executes ${name}, which this CPU does not know`,
      checks,
      depth: "cause",
      story: [
        instruction === undefined
          ? `The bytes ${text} are no instruction that the disassembler knows.`
          : `${text.slice(0, instruction.size * 3 - 1)} is ${instruction.mnemonic}: the CPU has it not, or may not use it here.`,
        ...(isStart
          ? []
          : ["The function's instructions do not lead to this place: the CPU came there in another way, or the code was written over."]),
      ],
      evidence: [
        ...faultEvidence(fault),
        { claim: `the bytes there are ${text}`, command: `rd -8 ${hex16(pc)} ${bytes?.length ?? 1}`, values: [] },
      ],
    };
  },
};
