/** Which instructions a line of `dis` means: a whole function, what leads up to an address, what follows it, or so many from it. */
import type { VirtualAddress } from "../../bytes/address.ts";
import type { Memory } from "../../kernel/address-space.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { type FunctionRange, functionAt } from "../../type-flow/function-extent.ts";
import type { ParsedArguments } from "../arguments.ts";
import type { Session } from "../command.ts";
import { type Decoded, instructionsFrom } from "./code.ts";
import { contextUserSpace } from "./spaces.ts";

export interface Place {
  readonly address: VirtualAddress;
  readonly isSymbol: boolean;
  readonly count: number | undefined;
}

/** The instructions that the operands and options select. */
export function selectCode(session: Session, args: ParsedArguments, { address, isSymbol, count }: Place): () => Iterable<Decoded> {
  const { kernel } = session;
  if (args.has("-u")) {
    const memory = contextUserSpace(session);
    return () => take(instructionsFrom(kernel, memory, address), count ?? 1);
  }
  const memory: Memory = kernel.memory;
  const at = kernel.arch.stripPointer(address);
  const whole = count === undefined && (isSymbol || kernel.symbols.byAddress(at)?.offset === 0);
  const range = args.has("-r") || args.has("-f") || whole ? functionAt(kernel, at) : undefined;
  if (range !== undefined && args.has("-r")) return () => upTo(kernel, memory, range, at, count);
  if (range !== undefined) {
    const start = args.has("-f") ? at : range.start;
    return () => take(withoutPadding(instructionsFrom(kernel, memory, start, range.end)), count);
  }
  return () => take(instructionsFrom(kernel, memory, at), count ?? 1);
}

/**
 * The symbol table has no lengths: a function seems to reach to the next one. What follows a function's last jump, return or call of what does
 * not return is padding when it is nothing but no-operations up to the end.
 */
function* withoutPadding(from: Iterable<Decoded>): Generator<Decoded, void, undefined> {
  let ended = false;
  let held: Decoded[] = [];
  for (const item of from) {
    const { flow, mnemonic, operands } = item.instruction;
    // 66 90 is an xchg by its name.
    if (ended && (/nop/.test(mnemonic) || operands === "%ax,%ax")) {
      held.push(item);
      continue;
    }
    yield* held;
    held = [];
    yield item;
    ended = flow !== "next" && flow !== "conditional" && flow !== "system";
  }
}

function* take(from: Iterable<Decoded>, count: number | undefined): Generator<Decoded, void, undefined> {
  if (count === 0) return;
  let left = count ?? Number.POSITIVE_INFINITY;
  for (const item of from) {
    yield item;
    if (--left <= 0) return;
  }
}

/** From the function's start to the instruction that holds the address; of those the last `count`. */
function* upTo(
  kernel: Kernel,
  memory: Memory,
  range: FunctionRange,
  address: VirtualAddress,
  count: number | undefined,
): Generator<Decoded, void, undefined> {
  const kept: Decoded[] = [];
  for (const item of instructionsFrom(kernel, memory, range.start)) {
    if (item.instruction.address > address) break;
    if (count === undefined) yield item;
    else {
      kept.push(item);
      if (kept.length > count) kept.shift();
    }
  }
  yield* kept;
}
