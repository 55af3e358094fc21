/** What `bt` answers: stacks of tasks as data. */
import type { VirtualAddress } from "../../bytes/address.ts";
import type { SourcePlace } from "../../debug-info/debug-info.ts";
import type { Certainty, FoundBy, FrameKind, StackKind } from "../../stack/frame.ts";
import type { SavedBytes } from "../saved-bytes.ts";
import type { BtGroup } from "./groups.ts";
import type { BtVariable } from "./variables.ts";

export interface BtTask {
  readonly pid: number;
  readonly comm: string;
  readonly address: VirtualAddress;
  readonly cpu: number;
}

/** Saved registers by name. */
export interface BtRegisters {
  /** Where they lie; null when they are the CPU's own. */
  readonly address: VirtualAddress | null;
  readonly user: boolean;
  /** The pc as "symbol+offset" is the face's to lay out: function, offset and module where the pc is in known code. */
  readonly function: string | null;
  readonly offset: number | null;
  readonly module: string | null;
  /** The same for arm64's link register. */
  readonly link?: { readonly function: string; readonly offset: number } | undefined;
  readonly registers: Readonly<Record<string, bigint>>;
}

/** A word of a stack, and what it points to. */
export interface BtWord {
  readonly address: VirtualAddress;
  /** null when it cannot be read. */
  readonly value: bigint | null;
  /** "schedule+69" without radix: name and offset; or a slab cache. */
  readonly symbol?: { readonly name: string; readonly offset: number; readonly module?: string } | undefined;
  readonly cache?: string | undefined;
  /** --annotate: what the word is: the register that was saved there, symbol, object, task, page. */
  readonly note?: string;
}

export interface BtFrame {
  readonly level: number;
  readonly sp: VirtualAddress;
  readonly pc: VirtualAddress;
  readonly function: string | null;
  readonly offset: number | null;
  readonly module: string | null;
  readonly kind: FrameKind;
  readonly certainty: Certainty;
  readonly foundBy: FoundBy;
  readonly stack: StackKind;
  /** Registers as far as they are known in this frame: of a caller those that calls preserve. An inlined frame has its physical frame's. */
  readonly registers: Readonly<Record<string, bigint>>;
  /** bt -l: file, line and column. */
  readonly source?: SourcePlace | undefined;
  /** The CPU had just taken an exception and saved nothing yet: the frame that it interrupted is not known, and missing behind this one. */
  readonly interruptedLost?: true;
  /** Registers that the exception which this frame handles has saved below it. */
  readonly exception?: BtRegisters | undefined;
  /** bt -f, -F: words between the frame's slot and the next frame's. */
  readonly words?: readonly BtWord[] | undefined;
  /** bt -V: parameters, then locals of the innermost block first. */
  readonly variables?: readonly BtVariable[] | undefined;
}

/** A word in text order: bt -t, -T, -o. */
export interface BtText {
  readonly address: VirtualAddress;
  readonly pc: bigint;
  readonly function: string;
  readonly offset: number;
  readonly module: string | null;
}

export interface BtStack {
  readonly task: BtTask | null;
  readonly frames: readonly BtFrame[];
  /** Why the unwind ended, in words. */
  readonly stop: string;
  /** The stack was followed to its natural end. */
  readonly complete: boolean;
  /** The CPU's own registers, for a task that was running. */
  readonly registers?: BtRegisters | undefined;
  /** bt -r: the whole stack. */
  readonly raw?: readonly BtWord[] | undefined;
  /** bt -t, -T, -o */
  readonly text?: readonly BtText[] | undefined;
  /** bt -t, -T: what user mode was left with, behind the words. */
  readonly userRegisters?: BtRegisters | undefined;
  /** bt -e */
  readonly exceptionFrames?: readonly BtRegisters[] | undefined;
}

/** bt -E: one stack of a CPU. */
export interface BtCpuStack {
  readonly cpu: number | null;
  readonly stack: StackKind;
  readonly start: VirtualAddress;
  readonly exceptionFrames: readonly BtRegisters[];
}

/** bt -v */
export interface BtOverflow {
  readonly task: BtTask;
  readonly problem: string;
}

/** How the text is laid out; kept out of JSON. */
export interface BtView {
  readonly machine: "x86_64" | "aarch64";
  /** -s: offsets behind names. */
  readonly offsets: boolean;
  /** -x, -d. */
  readonly radix: 10 | 16 | undefined;
  /** -y: registers of each frame. */
  readonly registers: boolean;
  /** -FF: addresses of slab objects too. */
  readonly slabAddresses: boolean;
  /** Words one a line, with what each is. */
  readonly notes?: boolean;
}

export const VIEW = Symbol("view");

export interface BtResult {
  readonly [VIEW]: BtView;
  readonly stacks?: Iterable<BtStack>;
  readonly cpuStacks?: readonly BtCpuStack[];
  readonly overflows?: readonly BtOverflow[];
  /** bt --group */
  readonly groups?: readonly BtGroup[];
  readonly idleCpus?: readonly number[];
  readonly tasks?: number;
  /** bt --flame: what was drawn. */
  readonly flame?: { readonly file: string; readonly tasks: number; readonly stacks: number };
  readonly save?: SavedBytes;
  /** bt -O: how stacks are shown from now on. */
  readonly method?: "old" | "new";
}
