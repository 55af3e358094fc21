/** Turns an unwound stack into `bt`'s data. */
import { LR } from "../../arch/arm64-registers.ts";
import type { RegisterSet } from "../../arch/registers.ts";
import { add, distance, type VirtualAddress, virtual } from "../../bytes/address.ts";
import { StackWords } from "../../identity/stack-words.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { CodeRanges } from "../../stack/code-ranges.ts";
import type { StackFrame, UnwoundStack } from "../../stack/frame.ts";
import { isEntryCode } from "../../stack/machine-rules.ts";
import { type AnnotateOptions, stackWordList } from "./annotate.ts";
import type { BtFrame, BtRegisters, BtStack, BtTask, BtWord } from "./result.ts";
import type { BtVariable } from "./variables.ts";

/** A frame larger than this is not listed word by word: it spans a gap between stacks. */
const MAX_FRAME_BYTES = 1 << 16;

export function registersResult(kernel: Kernel, address: VirtualAddress | null, user: boolean, registers: RegisterSet): BtRegisters {
  const code = CodeRanges.of(kernel);
  const pc = registers.pc;
  const place = user || pc === undefined ? undefined : code.place(virtual(pc), false);
  const lr = registers.file.link === LR ? registers.get(LR) : undefined;
  const link = user || lr === undefined ? undefined : code.place(kernel.arch.stripPointer(lr), false);
  return {
    address,
    user,
    function: place?.function ?? null,
    offset: place?.offset ?? null,
    module: place?.module ?? null,
    link: link === undefined ? undefined : { function: link.function, offset: link.offset },
    registers: registers.record(),
  };
}

/**
 * @param words how to show each frame's words (bt -f, -F); undefined for none
 * @param variables gives the variables of a frame (bt -V)
 */
export function stackResult(
  kernel: Kernel,
  task: BtTask | null,
  stack: UnwoundStack,
  words: AnnotateOptions | undefined,
  variables?: (stack: UnwoundStack, frame: StackFrame) => readonly BtVariable[],
): BtStack {
  const { frames, stop, user } = stack;
  // The calls inlined where the CPU stood come before the frame that has its registers.
  const first = frames.find(({ kind }) => kind !== "inline");
  const running =
    user !== undefined && user.address === undefined
      ? registersResult(kernel, null, true, user.registers)
      : first !== undefined && first.kind === "interrupted" && first.foundBy === "registers"
        ? registersResult(kernel, null, false, first.registers)
        : undefined;
  const notes = words?.notes === true ? new StackWords(kernel, stack, task?.address) : undefined;
  return {
    task,
    frames: frames.map((frame, index) =>
      frameResult(kernel, frame, {
        words: words === undefined || frame.kind === "inline" ? undefined : frameWords(kernel, frames, index, words, notes),
        ...(variables === undefined ? {} : { variables: variables(stack, frame) }),
      }),
    ),
    stop: stop.text,
    complete: stop.complete,
    registers: running,
  };
}

function frameResult(kernel: Kernel, frame: StackFrame, more: Pick<BtFrame, "words" | "variables">): BtFrame {
  const { level, sp, pc, kind, certainty, foundBy, exception, source } = frame;
  return {
    level,
    sp,
    pc,
    function: frame.function ?? null,
    offset: frame.offset ?? null,
    module: frame.module ?? null,
    kind,
    certainty,
    foundBy,
    stack: frame.stack.kind,
    ...(source === undefined ? {} : { source }),
    exception: exception === undefined ? undefined : registersResult(kernel, exception.address, exception.user, exception.registers),
    ...more,
    ...(interruptedLost(kernel, frame) ? { interruptedLost: true } : {}),
    // Recovered when looked at: the text shows them only with -y.
    get registers() {
      return frame.registers.record();
    },
  };
}

/** On x86-64 the CPU itself has pushed the interrupted pc. */
function interruptedLost(kernel: Kernel, { kind, foundBy, exception, pc, registers }: StackFrame): boolean {
  const running = kind === "interrupted" && foundBy === "registers" && exception === undefined;
  return running && registers.file.link !== undefined && isEntryCode(kernel, pc);
}

/**
 * Words that belong to a frame: behind its slot up to and with the slot of the next frame on the same stack (arm64: from its record to
 * the next one); the outermost frame's reach to the registers of user mode or the stack's end.
 */
function frameWords(
  kernel: Kernel,
  frames: readonly StackFrame[],
  index: number,
  options: AnnotateOptions,
  notes: StackWords | undefined,
): BtWord[] {
  const frame = frames[index] as StackFrame;
  const next = frames.slice(index + 1).find(({ kind }) => kind !== "inline");
  const pushed = frame.registers.file.link === undefined;
  const place = ({ sp, kind }: StackFrame) => (pushed && kind !== "interrupted" ? add(sp, 8) : sp);
  const start = place(frame);
  let end: VirtualAddress;
  if (frame.exception !== undefined) end = frame.exception.address;
  else if (next !== undefined && next.stack.start === frame.stack.start) end = place(next);
  else end = frame.stack.kind === "unknown" ? start : frame.stack.end;
  const length = distance(end, start);
  return length <= 0 || length > MAX_FRAME_BYTES ? [] : stackWordList(kernel, start, end, options, notes);
}
