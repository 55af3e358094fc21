/**
 * The sources of unwind rules for one kernel, in the order they are asked, and the registers that move as the unwind goes outwards.
 *
 *   both      jump to nowhere
 *   x86-64    with ORC       ORC ► call-frame information ► prologue (both only where ORC says that it knows nothing) ► frame pointers
 *                            (code that has no ORC entry)
 *             without ORC    call-frame information ► saved registers in entry code ► frame pointers
 *   arm64     frame records
 *
 * ORC comes before call-frame information: objtool has checked it against every instruction, assembler code included, and it knows the
 * switches of stacks of inline assembly (SP_INDIRECT, since 5.12), of which the compiler that wrote the call-frame information knows nothing.
 * arm64's frame records lead through exceptions and assembler code just so. What these do not tell, the registers that a caller will find
 * again, is added to their steps by WithSavedRegisters: from call-frame information where its frame is the one they proved, else from what
 * the functions' own code saves.
 */

import { ARM64_SAVES } from "../arch/arm64-register-saves.ts";
import { X86_SAVES } from "../arch/x86-64-register-saves.ts";
import { type VirtualAddress, virtual } from "../bytes/address.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { Arm64FrameRecords } from "./arm64-frame-records.ts";
import { BadCall } from "./bad-call.ts";
import { CallFrameRules } from "./call-frame-rules.ts";
import { CodeRanges } from "./code-ranges.ts";
import { CodeSaves } from "./code-saves.ts";
import type { StackArea } from "./frame.ts";
import { ftraceOriginal } from "./ftrace-trampolines.ts";
import { type OrcLookup, OrcRules } from "./orc-rules.ts";
import { callBefore, returnAddressTest } from "./return-address.ts";
import { isReturnTrampoline } from "./return-trampolines.ts";
import { WithSavedRegisters } from "./saved-registers.ts";
import { StackMap } from "./stack-map.ts";
import { onStack, taskPtRegs } from "./task-stack.ts";
import type { RuleSource } from "./unwinder.ts";
import { X86Entry } from "./x86-64-entry.ts";
import { X86FramePointers } from "./x86-64-frame-pointers.ts";
import { X86Prologues } from "./x86-64-prologues.ts";

/** What all unwinds of one kernel share. */
export interface UnwindKit {
  readonly code: CodeRanges;
  readonly stacks: StackMap;
  readonly isReturnAddress: (address: bigint) => boolean;
  /** Where functions save registers, as their code tells. */
  readonly saves: Pick<CodeSaves, "stateAt">;
  /** Sources for an unwind that starts on this stack. */
  sources(task: StackArea | undefined): readonly RuleSource[];
}

export function unwindKit(kernel: Kernel): UnwindKit {
  return kernel.memo(unwindKit, () => {
    const code = CodeRanges.of(kernel);
    const stacks = StackMap.of(kernel);
    const isReturnAddress = returnAddressTest(kernel, code);
    const strip = (address: bigint): VirtualAddress => kernel.arch.stripPointer(address);
    const place = (pc: VirtualAddress, isReturn: boolean) => code.place(pc, isReturn);
    const callFrames = new CallFrameRules(kernel.memory, kernel.debugInfo, {
      isReturnAddress: (address) => isReturnAddress(address) || isReturnTrampoline(kernel, address),
      strip,
      isSwitchSlot: (address) => {
        const area = kernel.arch.name === "x86_64" ? stacks.find(address) : undefined;
        return area?.kind === "irq" && address === area.end - 8n;
      },
    });
    const codeSaves = new CodeSaves(kernel.memory, kernel.arch.name === "x86_64" ? X86_SAVES : ARM64_SAVES, {
      place,
      endOf: (start) => kernel.symbols.neighbours(start).next?.address,
      named: (name) => kernel.symbols.allByName(name).map(({ address }) => address),
      isEntry: (pc) => isEntryCode(kernel, pc),
    });
    const complete = (source: RuleSource) => new WithSavedRegisters(source, [callFrames, codeSaves]);
    const badCall = new BadCall(kernel.memory, { isCode: (address) => code.isCode(address), isReturnAddress, strip });
    const isCode = (address: bigint) => code.isCode(address);
    const shared = { isReturnAddress, isCode, strip, place, callFrames, complete };
    const machine = kernel.arch.name === "x86_64" ? x86Sources(kernel, stacks, shared) : arm64Sources(kernel, shared);
    return {
      code,
      stacks,
      isReturnAddress,
      saves: codeSaves,
      sources: (task) => [badCall, ...machine(task)],
    };
  });
}

interface Shared {
  readonly isReturnAddress: (address: bigint) => boolean;
  readonly isCode: (address: bigint) => boolean;
  readonly strip: (address: bigint) => VirtualAddress;
  readonly place: CodeRanges["place"];
  readonly callFrames: CallFrameRules;
  /** Adds the caller's registers to the steps of a source. */
  complete(source: RuleSource): RuleSource;
}

/** What x86-64's unwinds share, and of each task only the sources that ask where its stack lies. */
function x86Sources(kernel: Kernel, stacks: StackMap, shared: Shared): (task: StackArea | undefined) => RuleSource[] {
  const orc: OrcLookup = {
    find(pc) {
      const found = kernel.orc.find(pc);
      if (found !== undefined) return found;
      const original = ftraceOriginal(kernel, pc);
      return original === undefined ? undefined : kernel.orc.find(original);
    },
  };
  const hasOrc = kernel.orc.present;
  const isCovered = (pc: VirtualAddress) => orc.find(pc) !== undefined;
  const onAnyStack = (task: StackArea | undefined) => (address: bigint) =>
    (task !== undefined && onStack(task, address)) || stacks.find(address) !== undefined;
  const pointers = (task: StackArea | undefined): RuleSource =>
    shared.complete(
      new X86FramePointers(kernel.memory, { ...shared, onStack: onAnyStack(task), everyFunction: !hasOrc, coveredByOrc: isCovered }),
    );
  if (!hasOrc) {
    return (task) => {
      const entry = new X86Entry(kernel.memory, {
        // A new task's first code lies apart; in C since 6.6 but for ret_from_fork_asm (commit 3aec4ecb3d1f).
        isEntry: (pc) => isEntryCode(kernel, pc) || shared.place(virtual(pc), false)?.function.startsWith("ret_from_fork") === true,
        isCode: shared.isCode,
        onStack: onAnyStack(task),
        userRegisters: task === undefined ? undefined : taskPtRegs(kernel, task),
      });
      return [shared.callFrames, entry, pointers(task)];
    };
  }
  const common = [
    shared.complete(new OrcRules(kernel.memory, orc)),
    shared.callFrames,
    new X86Prologues(kernel.memory, { ...shared, callBefore: (address) => callBefore(kernel, address) }),
  ];
  return (task) => [...common, whenAsked(() => pointers(task))];
}

/** A source that few unwinds come to. */
function whenAsked(make: () => RuleSource): RuleSource {
  let source: RuleSource | undefined;
  return {
    step(state) {
      source ??= make();
      return source.step(state);
    },
  };
}

/**
 * Code between an exception and the saving of its registers. arm64 keeps the interrupted pc in ELR_EL1 until then, which dumps do not
 * hold.
 */
export function isEntryCode(kernel: Kernel, pc: bigint): boolean {
  return pc >= (kernel.tryAddress("__entry_text_start") ?? 0n) && pc < (kernel.tryAddress("__entry_text_end") ?? 0n);
}

/** arm64's frame records know each stack themselves. */
function arm64Sources(kernel: Kernel, shared: Shared): () => readonly RuleSource[] {
  const regs = kernel.types.tryStruct("pt_regs");
  const records = new Arm64FrameRecords(kernel.memory, {
    ...shared,
    isEntry: (pc) => isEntryCode(kernel, pc),
    // 304 in every kernel from 4.14 to 6.12 that has sdei_ttbr1 and pmr_save before it.
    recordOffset: regs?.tryField("stackframe")?.offset ?? 304,
    typed: kernel.types.tryStruct("frame_record_meta") !== undefined,
  });
  const sources = [shared.complete(records)];
  return () => sources;
}
