/**
 * Calls that the compiler inlined, as frames of their own, and the source line of every frame; both need debug information.
 *
 *   physical frame     pc in c's code, which was inlined into b, and b into a           frames
 *                      scopes around the pc: c ◄ call at line 12 of b                   #3 c   inline   line of the pc
 *                                            b ◄ call at line 90 of a                   #4 b   inline   line 12
 *                                            a                                          #5 a   call     line 90
 *
 * An inlined frame shares the physical frame's registers, sp and pc; a return address stands for the call before it.
 */
import { add, distance, type VirtualAddress, virtual } from "../bytes/address.ts";
import { InquestError } from "../bytes/errors.ts";
import type { Scope, SourcePlace } from "../debug-info/debug-info.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { StackFrame, UnwoundStack } from "./frame.ts";

export interface InlineOptions {
  /** false: no inlined frames. The line of a frame with inlined calls is then the innermost's, as crash and addr2line have it. */
  readonly frames?: boolean;
  /** false: no `source`. */
  readonly lines?: boolean;
}

/**
 * The stack with inlined frames in their places, all levels counted through, and with `source` where it is known. The same stack where
 * there is no debug information, or when it has been done already.
 */
export function withInlinedFrames(kernel: Kernel, stack: UnwoundStack, options: InlineOptions = {}): UnwoundStack {
  if (!kernel.debugInfo.present || stack.frames.some(({ kind, source }) => kind === "inline" || source !== undefined)) return stack;
  const frames: StackFrame[] = [];
  for (const frame of stack.frames) for (const each of expanded(kernel, frame, options)) frames.push({ ...each, level: frames.length });
  return { ...stack, frames };
}

/** The address that tells where a frame stands. */
function lookupAddress({ kind, pc }: StackFrame): VirtualAddress {
  return kind === "interrupted" ? pc : virtual(pc - 1n);
}

/** A physical frame behind the calls inlined into it, innermost first. */
function* expanded(kernel: Kernel, frame: StackFrame, { frames = true, lines = true }: InlineOptions): Iterable<StackFrame> {
  const address = lookupAddress(frame);
  let source = lines ? attempt(kernel, (): SourcePlace | undefined => kernel.debugInfo.line(address)) : undefined;
  const scopes = frames ? (attempt(kernel, () => kernel.debugInfo.scopes(address)) ?? []) : [];
  for (const scope of scopes) {
    if (scope.kind !== "inlined") continue;
    yield { ...frame, kind: "inline", function: attempt(kernel, () => scope.name), offset: undefined, exception: undefined, source };
    source = lines ? attempt(kernel, () => scope.call) : undefined;
  }
  const own = scopes.at(-1);
  yield { ...frame, ...(own?.kind === "function" ? attempt(kernel, () => named(kernel, frame, own)) : {}), source };
}

/**
 * A physical frame's name. The symbol table's is kept, with what compilers append (".cold"), except where it has several symbols at that
 * place and debug information tells which the code is of (arm64's panic is __kvm_nvhe_panic too, and comes after it), or where it has none.
 */
function named(kernel: Kernel, frame: StackFrame, { name, entry }: Scope): Partial<Pick<StackFrame, "function" | "offset">> {
  const { function: known, offset, pc } = frame;
  if (name === undefined || known === name || known?.startsWith(`${name}.`) === true) return {};
  if (known === undefined || offset === undefined) {
    const described = kernel.debugInfo.at(lookupAddress(frame));
    return described === undefined || entry === undefined
      ? { function: name }
      : { function: name, offset: distance(pc, kernel.debugInfo.runtime(described, entry)) };
  }
  const start = add(pc, -offset);
  return kernel.symbols.allByName(name).some(({ address }) => address === start) ? { function: name } : {};
}

/** Damaged debug information costs the frames that need it, and is told once. */
function attempt<T>(kernel: Kernel, read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof InquestError)) throw error;
    kernel.note(`debug information: ${error.message}`);
    return undefined;
  }
}
