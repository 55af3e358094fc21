/**
 * The frame that `frame`, `up` and `down` choose, and what it lends an expression: registers behind a `$`, parameters and locals. It
 * belongs to the context task: another task begins at its innermost frame again.
 *
 *   set 1  ──►  frame 0 of pid 1  ──up──►  frame 1 (chosen: its locals come before the kernel's variables)
 */
import type { VirtualAddress } from "../../bytes/address.ts";
import { LookupError, UsageError } from "../../bytes/errors.ts";
import { interruptions } from "../../bytes/interruption.ts";
import { registerValue } from "../../kernel/expression/registers.ts";
import type { FrameNames } from "../../kernel/expression/scope.ts";
import type { StackFrame, UnwoundStack } from "../../stack/frame.ts";
import { type FrameVariable, frameVariable, frameVariables } from "../../stack/frame-variables.ts";
import { withInlinedFrames } from "../../stack/inlined-frames.ts";
import { unwindTask } from "../../stack/unwind.ts";
import type { Session } from "../command.ts";

interface Choice {
  readonly task: VirtualAddress;
  readonly stack: UnwoundStack;
  readonly level: number;
  readonly chosen: boolean;
  /** A stack that was worked on when work was ended is unwound again. */
  readonly since: number;
}

const choices = new WeakMap<Session, Choice>();

/** The context task's stack with the frame that is current in it. */
export interface CurrentFrame {
  readonly stack: UnwoundStack;
  readonly frame: StackFrame;
  /** It was chosen by hand. */
  readonly chosen: boolean;
}

function choiceOf(session: Session): Choice {
  const task = session.context;
  const known = choices.get(session);
  const mine = known?.task === task ? known : undefined;
  if (mine?.since === interruptions.count) return mine;
  // Numbered as bt numbers them.
  const stack = withInlinedFrames(session.kernel, unwindTask(session.kernel, task));
  const fresh: Choice = { task, stack, level: mine?.level ?? 0, chosen: mine?.chosen ?? false, since: interruptions.count };
  choices.set(session, fresh);
  return fresh;
}

/** Throws LookupError when the task's stack has no frames. */
export function currentFrame(session: Session): CurrentFrame {
  const { stack, level, chosen } = choiceOf(session);
  const frame = stack.frames[level];
  if (frame === undefined) throw new LookupError(`the context task has no stack frame: ${stack.stop.text}`);
  return { stack, frame, chosen };
}

/** Makes a frame current, by its number. Throws UsageError with the numbers there are. */
export function chooseFrame(session: Session, level: number): CurrentFrame {
  const choice = choiceOf(session);
  const { length } = choice.stack.frames;
  if (choice.stack.frames[level] === undefined) {
    if (length === 0) return currentFrame(session);
    throw new UsageError(`there is no frame ${level}: the stack has frames 0 to ${length - 1} (${choice.stack.stop.text})`);
  }
  choices.set(session, { ...choice, level, chosen: true });
  return currentFrame(session);
}

/** Variables of a frame; empty without debug information. */
export function variablesOf(session: Session, { stack, frame }: CurrentFrame): readonly FrameVariable[] {
  return session.kernel.debugInfo.present ? frameVariables(session.kernel, stack, frame) : [];
}

/** The current frame for an expression; the stack is unwound when a name first needs it. */
export function frameNames(session: Session): FrameNames {
  const { kernel } = session;
  return {
    get chosen() {
      const choice = choices.get(session);
      return choice?.chosen === true && choice.task === session.context;
    },
    local(name) {
      if (!kernel.debugInfo.present || session.minimal === true) return undefined;
      const { stack, frame } = currentFrame(session);
      const found = frameVariable(kernel, stack, frame, name);
      if (found === undefined || found.value !== undefined) return found?.value;
      throw new LookupError(`${name} of frame ${currentFrame(session).frame.level}: ${found.reason ?? found.state}`);
    },
    register(name) {
      if (session.minimal === true) return undefined;
      return registerValue(kernel, name, () => currentFrame(session).frame);
    },
  };
}
