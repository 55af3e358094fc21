/**
 * A function's canary was overwritten: what it wrote to a local on its stack went past that local's end. Row 15 of the catalogue.
 *
 *   low   │ locals, arrays last ………AAAAAAAA│ canary │ saved registers │ return address │ high
 *                        written upwards ──►     ▲ compared before the return: __stack_chk_fail(), which panics
 *
 * x86-64 keeps the canary at %gs:0x28 (fixed_percpu_data, __stack_chk_guard since 6.15), arm64 in task_struct.stack_canary or in
 * __stack_chk_guard; task_struct.stack_canary is the same on both. The code before the call tells where the frame's copy is.
 */

import type { DecodedInstruction } from "../../arch/disassembler.ts";
import { add, hex16, type VirtualAddress, virtual } from "../../bytes/address.ts";
import { InquestError } from "../../bytes/errors.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { FunctionFlow } from "../../type-flow/function-flow.ts";
import type { Origin } from "../../type-flow/origin.ts";
import type { DiagnosisContext } from "../context.ts";
import type { Detector } from "../detector.ts";
import type { Activation } from "../fault/activation.ts";
import { functionText, plainName } from "../fault/words.ts";
import type { Finding } from "../finding.ts";
import type { Check } from "../verdict.ts";
import { type ReporterCase, reporterCase, reporterFrames } from "./reporter-case.ts";
import { reportEvidence } from "./subject-report.ts";

export const canary: Detector = {
  name: "stack canary",
  classes: ["stack-corruption"],
  needs: ["__stack_chk_fail() on the stack of the task that panicked"],
  refutedBy: ["the frame's canary is the right one"],
  appliesTo: ({ subject }) =>
    subject.event === undefined ||
    subject.event.kind === "stack canary" ||
    subject.event.kind === "panic" ||
    subject.event.family === "warning",
  detect(context) {
    const found = reporterCase(context, /^__stack_chk_fail$/, /^v?panic$/);
    const owner = found?.activations.at(1);
    return found === undefined || owner === undefined ? [] : [findingOf(context, found, owner)];
  },
};

/** Bytes below and above the canary that are looked at. */
const AROUND = 128;

function findingOf(context: DiagnosisContext, found: ReporterCase, owner: Activation): Finding {
  const { kernel } = found;
  const slot = slotOf(found, owner);
  const value = slot === undefined ? undefined : kernel.memory.tryU64(slot);
  const expected = expectedCanary(context);
  const checks: Check[] = [{ what: "__stack_chk_fail() was called, and it panicked", result: "held" }];
  if (value !== undefined && expected !== undefined)
    checks.push({
      what: `the frame holds ${hex16(value)} where the canary ${hex16(expected)} was`,
      result: value === expected ? "refuted" : "held",
    });
  const text = slot === undefined ? undefined : textAround(kernel, slot);
  const frames = reporterFrames(found, owner);
  const own = frames.find((frame) => frame.guilty === true);
  const told = text === undefined ? "" : ` with ${JSON.stringify(text)}`;
  return {
    class: "stack-corruption",
    title: `${functionText(owner)} wrote past the end of a local on its stack${value === undefined ? "" : `${told}: its canary is ${hex16(value)}`}`,
    checks,
    depth: "mechanism",
    place: {
      function: plainName(owner.function),
      ...(owner.module === undefined ? {} : { module: owner.module }),
      ...(own?.file === undefined || own.line === undefined ? {} : { file: own.file, line: own.line }),
    },
    frames,
    access: { kind: "write" },
    ...(slot === undefined ? {} : { address: slot, object: { type: "stack frame", address: slot } }),
    story: [
      `${plainName(owner.function)} checks the canary of its frame before it returns and found it overwritten: something wrote past the end of one of its locals, itself or a function that it gave the local's address to.`,
      ...(value === undefined || expected === undefined
        ? []
        : [`At ${hex16(slot ?? 0n)} there is ${hex16(value)} instead of ${hex16(expected)}.`]),
      ...(text === undefined ? [] : [`The bytes around it read as text: ${JSON.stringify(text)}.`]),
    ],
    evidence: [
      ...(slot === undefined || value === undefined
        ? []
        : [{ claim: `the frame's canary is ${hex16(value)}`, command: `rd ${hex16(slot)} 1`, values: [{ address: slot, value }] }]),
      ...(expected === undefined || context.subject.task === undefined
        ? []
        : [
            {
              claim: `the task's canary is ${hex16(expected)}`,
              command: `struct task_struct.stack_canary ${hex16(context.subject.task.address)}`,
              values: canaryPlace(context),
            },
          ]),
      ...reportEvidence(context),
    ],
  };
}

function canaryField(kernel: Kernel) {
  return kernel.types.tryStruct("task_struct")?.tryField("stack_canary");
}

function canaryPlace({ kernel, subject }: DiagnosisContext) {
  const field = canaryField(kernel);
  const task = subject.task?.address;
  const address = field === undefined || task === undefined ? undefined : field.address(task);
  const value = address === undefined ? undefined : kernel.memory.tryU64(address);
  return address === undefined || value === undefined ? [] : [{ address, value }];
}

/** What the frame should hold. */
function expectedCanary(context: DiagnosisContext): bigint | undefined {
  const { kernel } = context;
  const own = canaryPlace(context)[0]?.value;
  const guard = kernel.arch.name === "aarch64" ? kernel.tryAddress("__stack_chk_guard") : undefined;
  // One canary for all tasks, where the compiler cannot keep one for each (CONFIG_STACKPROTECTOR_PER_TASK off).
  return guard === undefined ? own : (kernel.memory.tryU64(guard) ?? own);
}

/**
 * The frame's copy: what is loaded from the stack within a few instructions of the comparison that leads to the call.
 *
 *   mov 0x18(%rsp),%rax; sub %gs:0x28,%rax; jne        ldr x1, [sp, #56]; ldr x2, [x0, #1384]; subs x1, x1, x2; b.ne
 */
function slotOf({ values, stack }: ReporterCase, { flow, pc, frame }: Activation): VirtualAddress | undefined {
  if (flow === undefined) return undefined;
  try {
    for (const from of placesLeadingTo(flow.addresses, (at) => flow.at(at)?.instruction, pc)) {
      for (let at = from; at > Math.max(-1, from - 8); at--) {
        const address = flow.addresses[at];
        const instruction = address === undefined ? undefined : flow.at(address)?.instruction;
        const memory = instruction?.operands.find((operand) => operand.kind === "memory");
        if (
          memory?.kind !== "memory" ||
          memory.size !== 8 ||
          memory.segment !== undefined ||
          memory.access === "write" ||
          memory.access === "address"
        )
          continue;
        if (memory.index !== undefined || memory.base === undefined || !/^(?:rsp|rbp|sp|x29)$/.test(memory.base)) continue;
        const origin = flow.originOf(address as bigint, memory.base);
        const base = values.of(1, origin)?.value ?? byFramePointer(flow, pc, origin, stack.frames[frame ?? -1]?.registers.fp);
        if (base === undefined) continue;
        return virtual(BigInt.asUintN(64, base + memory.displacement));
      }
    }
  } catch (error) {
    if (!(error instanceof InquestError)) throw error;
  }
  return undefined;
}

/** arm64: where the caller is not known any more, the frame pointer still tells how the frame lies. */
function byFramePointer(flow: FunctionFlow, pc: bigint, wanted: Origin, fp: bigint | undefined): bigint | undefined {
  const own = flow.originOf(pc, "x29");
  if (fp === undefined || wanted.kind !== "stack" || own.kind !== "stack") return undefined;
  return BigInt.asUintN(64, fp + BigInt(wanted.offset - own.offset));
}

/** Places of the conditional branches to the call, and of the call itself. */
function placesLeadingTo(
  addresses: readonly bigint[],
  instruction: (at: bigint) => DecodedInstruction | undefined,
  call: bigint,
): readonly number[] {
  const found: number[] = [];
  const at = addresses.indexOf(call);
  // The call's block begins a few instructions before it at the most.
  const near = new Set(addresses.slice(Math.max(0, at - 3), at + 1));
  for (const [place, address] of addresses.entries()) {
    const each = instruction(address);
    const target =
      each?.flow === "conditional" || each?.flow === "jump" ? each.operands.find((operand) => operand.kind === "target") : undefined;
    if (target?.kind === "target" && near.has(target.address)) found.push(place);
  }
  return at < 0 ? found : [...found, at];
}

/** The longest run of printable bytes around the canary, when it goes over it. */
function textAround(kernel: Kernel, slot: VirtualAddress): string | undefined {
  const from = add(slot, -AROUND);
  const bytes = kernel.memory.tryBytes(from, 2 * AROUND);
  if (bytes === undefined) return undefined;
  const printable = (at: number): boolean => {
    const byte = bytes[at] ?? 0;
    return byte >= 0x20 && byte < 0x7f;
  };
  let low = AROUND;
  let high = AROUND;
  if (!printable(low)) return undefined;
  while (low > 0 && printable(low - 1)) low--;
  while (high < bytes.length && printable(high)) high++;
  return high - low < 8 ? undefined : String.fromCharCode(...bytes.subarray(low, Math.min(high, low + 64)));
}
