/**
 * The caller's registers that a function must hand back unchanged (x86-64: rbx, rbp, r12–r15; arm64: x19–x28), for steps of sources that
 * prove where the caller is and know nothing else of it: ORC, frame pointers, frame records. They are found when asked for, from
 *
 *   call-frame information   rules of the debug information, where its frame agrees with the one that was proved
 *   code                     what the function's own instructions save, and where
 *
 * What neither knows stays undefined: a register is never taken from the frame further in because nobody said otherwise.
 */
import type { FoundStep, FrameState, RuleSource, Step } from "./unwinder.ts";

/** A frame that a step has left, and what the step proved of it. */
export interface ProvedFrame {
  readonly state: FrameState;
  /** The caller's stack pointer behind the call; undefined where the step does not tell (arm64). */
  readonly cfa: bigint | undefined;
  /** arm64: where the frame's record lies; undefined for a function without one. */
  readonly record: bigint | undefined;
}

/** The caller's registers by number, the stack pointer among them. */
export type CallerRegisters = ReadonlyMap<number, bigint>;

export interface SavedRegisterSource {
  /** undefined when this source does not know the function, or has another idea of the frame. */
  callerRegisters(frame: ProvedFrame): CallerRegisters | undefined;
}

const NOTHING: CallerRegisters = new Map();

/** A source of steps whose callers' registers are completed. */
export class WithSavedRegisters implements RuleSource {
  readonly #inner: RuleSource;
  readonly #sources: readonly SavedRegisterSource[];

  constructor(inner: RuleSource, sources: readonly SavedRegisterSource[]) {
    this.#inner = inner;
    this.#sources = sources;
  }

  step(state: FrameState): Step | undefined {
    const step = this.#inner.step(state);
    if (step?.kind === "found" && step.exception === undefined) this.#complete(state, step);
    return step;
  }

  #complete(state: FrameState, { next, foundBy }: FoundStep): void {
    const { registers } = next;
    const { file } = registers;
    const pushes = file.link === undefined;
    const frame: ProvedFrame = {
      state,
      cfa: pushes ? registers.sp : undefined,
      record: pushes || foundBy === "link register" ? undefined : state.registers.fp,
    };
    registers.later([...file.calleeSaved, file.sp], () => {
      for (const source of this.#sources) {
        const found = source.callerRegisters(frame);
        if (found !== undefined) return found;
      }
      return NOTHING;
    });
  }
}
