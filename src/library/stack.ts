/**
 * A kernel stack as scripts hold it: frames with their functions, inlined calls, source lines, registers and variables.
 *
 *   const { frames, stop } = kernel.stack(task);
 *   for (const { function: name, source, variables } of frames) …       source and variables need debug information (a vmlinux)
 */
import type { VirtualAddress } from "../bytes/address.ts";
import { withoutUserText } from "../commands/bt/variables.ts";
import { ValueReader } from "../commands/support/read-value.ts";
import { symbolLabeller } from "../commands/support/symbol-label.ts";
import type { ValueNode } from "../commands/support/value-node.ts";
import { declare } from "../debug-info/c-format-type.ts";
import type { SourcePlace } from "../debug-info/debug-info.ts";
import type { Kernel as Engine } from "../kernel/kernel.ts";
import type { Task as EngineTask } from "../linux/task.ts";
import type { Certainty, FoundBy, FrameKind, StackFrame, StackKind, UnwoundStack } from "../stack/frame.ts";
import { type FrameVariable as EngineVariable, frameVariables, type VariableState } from "../stack/frame-variables.ts";
import { withInlinedFrames } from "../stack/inlined-frames.ts";
import { unwindTask } from "../stack/unwind.ts";
import { Value } from "./value.ts";

/** A parameter or local of a frame. */
export interface FrameVariable {
  readonly name: string;
  readonly kind: "parameter" | "local";
  /** C's spelling of the type. */
  readonly type: string;
  /** Whether the value is the frame's own, was recovered from the caller, or is not to be had. */
  readonly state: VariableState;
  /** Undefined when it was optimized out or cannot be read. */
  readonly value: Value | undefined;
  /** Why there is none. */
  readonly reason: string | undefined;
  /** Register that holds it. */
  readonly register: string | undefined;
  /** The value is the one that the function was entered with: it may have been changed since. */
  readonly atEntry: boolean;
  /** The value read whole, as `bt -V` has it: a tree; undefined without a value, and for a pointer to what lies in no memory. */
  node(): ValueNode | undefined;
}

/** One frame. Addresses are bigints; levels count from the innermost frame. */
export interface Frame {
  readonly level: number;
  /** Undefined when the pc lies in no known code. */
  readonly function: string | undefined;
  /** Bytes from the function's start to the pc; undefined for an inlined frame. */
  readonly offset: number | undefined;
  /** Undefined for the kernel itself. */
  readonly module: string | undefined;
  /** Return address, or the interrupted instruction. */
  readonly pc: VirtualAddress;
  readonly sp: VirtualAddress;
  readonly kind: FrameKind;
  /** "guessed": a word on the stack that may be a return address. */
  readonly certainty: Certainty;
  readonly foundBy: FoundBy;
  /** The kind of stack that it lies on. */
  readonly stack: StackKind;
  /** File, line and column; undefined without debug information. */
  readonly source: SourcePlace | undefined;
  /** Registers as far as they are known here, by lower-case name. */
  readonly registers: Readonly<Record<string, bigint>>;
  /** Parameters, then locals of the innermost block first; found when asked for, empty without debug information. */
  readonly variables: readonly FrameVariable[];
  /** Value of a variable by name; undefined when there is none or it has no value. */
  variable(name: string): Value | undefined;
  /** All but the variables. */
  toJSON(): object;
}

/** An unwound stack. */
export interface Stack {
  readonly task: { readonly pid: number; readonly comm: string; readonly address: VirtualAddress; readonly cpu: number };
  /** Innermost first. */
  readonly frames: readonly Frame[];
  /** Why the unwind ended, in words. */
  readonly stop: string;
  /** The stack was followed to its natural end. */
  readonly complete: boolean;
  /** Registers of user mode, where the stack ends in it. */
  readonly user: Readonly<Record<string, bigint>> | undefined;
}

/** What of debug information goes into the frames. */
export interface StackOptions {
  /** false: no frames for calls that were inlined. */
  readonly inlined?: boolean;
  /** false: no source lines, which cost most. */
  readonly lines?: boolean;
}

/** Unwinds a task's stack. Throws FaultError when its task_struct cannot be read. */
export function stackOf(engine: Engine, { pid, comm, address, cpu }: EngineTask, options: StackOptions): Stack {
  return new ScriptStack(engine, { pid, comm, address, cpu }, unwound(engine, address, options));
}

function unwound(engine: Engine, address: VirtualAddress, { inlined = true, lines = true }: StackOptions): UnwoundStack {
  return withInlinedFrames(engine, unwindTask(engine, address), { frames: inlined, lines });
}

class ScriptStack implements Stack {
  readonly task: Stack["task"];
  readonly frames: readonly Frame[];
  readonly stop: string;
  readonly complete: boolean;
  readonly #unwound: UnwoundStack;

  constructor(engine: Engine, task: Stack["task"], unwound: UnwoundStack) {
    this.task = task;
    this.frames = unwound.frames.map((frame) => new ScriptFrame(engine, unwound, frame));
    this.stop = unwound.stop.text;
    this.complete = unwound.stop.complete;
    this.#unwound = unwound;
  }

  get user(): Stack["user"] {
    return this.#unwound.user?.registers.record();
  }
}

class ScriptFrame implements Frame {
  readonly level: number;
  readonly function: string | undefined;
  readonly offset: number | undefined;
  readonly module: string | undefined;
  readonly pc: VirtualAddress;
  readonly sp: VirtualAddress;
  readonly kind: FrameKind;
  readonly certainty: Certainty;
  readonly foundBy: FoundBy;
  readonly stack: StackKind;
  readonly source: SourcePlace | undefined;
  readonly #engine: Engine;
  readonly #whole: UnwoundStack;
  readonly #frame: StackFrame;
  #variables: readonly FrameVariable[] | undefined;

  constructor(engine: Engine, whole: UnwoundStack, frame: StackFrame) {
    this.#engine = engine;
    this.#whole = whole;
    this.#frame = frame;
    this.level = frame.level;
    this.function = frame.function;
    this.offset = frame.offset;
    this.module = frame.module;
    this.pc = frame.pc;
    this.sp = frame.sp;
    this.kind = frame.kind;
    this.certainty = frame.certainty;
    this.foundBy = frame.foundBy;
    this.stack = frame.stack.kind;
    this.source = frame.source;
  }

  get registers(): Readonly<Record<string, bigint>> {
    return this.#frame.registers.record();
  }

  get variables(): readonly FrameVariable[] {
    this.#variables ??= this.#engine.debugInfo.present
      ? frameVariables(this.#engine, this.#whole, this.#frame).map((each) => this.#variable(each))
      : [];
    return this.#variables;
  }

  variable(name: string): Value | undefined {
    return this.variables.find((each) => each.name === name)?.value;
  }

  toJSON(): object {
    return { ...this, registers: this.registers };
  }

  #variable({ type, value, ...rest }: EngineVariable): FrameVariable {
    const engine = this.#engine;
    return {
      ...rest,
      type: declare(type),
      value: value === undefined ? undefined : new Value(engine, value),
      node() {
        if (value === undefined || value.pointee !== undefined) return undefined;
        const reader = new ValueReader({ memory: engine.memory, label: symbolLabeller(engine), nullStop: true });
        return withoutUserText(reader.value(value), (address) => engine.arch.isKernelAddress(address));
      },
    };
  }
}
