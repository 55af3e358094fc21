/** Words and registers of frames of an unwound stack, each with the frame it belongs to. */
import { add, distance, type VirtualAddress } from "../../bytes/address.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { StackFrame } from "../../stack/frame.ts";

export interface FrameWord {
  readonly at: VirtualAddress;
  readonly word: bigint;
  readonly frame: StackFrame;
}

/** A frame larger than this spans a gap between stacks. */
const MAX_FRAME_BYTES = 1 << 16;

/**
 * Words of some frames, innermost first: those between a frame's place (the slot of its return address; its record on arm64) and the next
 * frame's. The outermost frame of a stack has those up to the stack's end.
 */
export function* frameWords(kernel: Kernel, frames: readonly StackFrame[], first: number, last: number): Iterable<FrameWord> {
  for (let i = Math.max(0, first); i <= last && i < frames.length; i++) {
    const frame = frames[i] as StackFrame;
    const next = frames.slice(i + 1).find(({ kind }) => kind !== "inline");
    const onward = next !== undefined && next.stack.start === frame.stack.start ? next.sp : frame.stack.end;
    const bytes = distance(onward, frame.sp);
    if (bytes <= 0 || bytes > MAX_FRAME_BYTES) continue;
    const content = kernel.memory.tryBytes(frame.sp, bytes & ~7);
    if (content === undefined) {
      yield* wordByWord(kernel, frame, bytes);
      continue;
    }
    const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
    for (let offset = 0; offset + 8 <= content.length; offset += 8)
      yield { at: add(frame.sp, offset), word: view.getBigUint64(offset, true), frame };
  }
}

function* wordByWord(kernel: Kernel, frame: StackFrame, bytes: number): Iterable<FrameWord> {
  for (let offset = 0; offset + 8 <= bytes; offset += 8) {
    const at = add(frame.sp, offset);
    const word = kernel.memory.tryU64(at);
    if (word !== undefined) yield { at, word, frame };
  }
}
