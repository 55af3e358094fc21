/**
 * Calls that are jumps: the function that made them is gone from the stack, and its callee returns to its caller. Which functions a function
 * may have jumped to is in its DW_TAG_call_site entries with DW_AT_call_tail_call (DWARF 5, section 3.4.1). Only calls of named functions
 * can be followed.
 */
import { distance, virtual } from "../bytes/address.ts";
import type { CallSite } from "../debug-info/debug-info.ts";
import { DW_AT_abstract_origin, DW_AT_call_origin } from "../debug-info/dwarf/constants.ts";
import type { BoundDebugInfo } from "../kernel/debug-info.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { CallTarget, DescribedCall } from "./call-chain.ts";

/** Functions that one search looks into, and how many jumps it follows. */
const MAX_FUNCTIONS = 64;
const MAX_JUMPS = 4;

/** The function a call names; undefined for an indirect one. */
export function directTarget(kernel: Kernel, owner: BoundDebugInfo, { die, target }: CallSite): CallTarget | undefined {
  if (target === undefined) return undefined;
  const origin = die.reference(DW_AT_call_origin) ?? die.reference(DW_AT_abstract_origin);
  const low = origin?.ranges[0]?.low;
  if (low !== undefined) return { address: kernel.debugInfo.runtime(owner, low), name: target };
  // Only declared there. Static functions may share a name: then there is no telling which.
  const symbols = kernel.symbols.allByName(target);
  return { address: symbols.length === 1 ? symbols[0]?.address : undefined, name: target };
}

/** Room for tracers that compilers leave before a function (-fpatchable-function-entry): its symbol is there, DWARF begins behind it. */
const ENTRY_SLACK = 16;

/** By address where both have one (a function may have several names), else by name. */
export function isSame(a: CallTarget, b: CallTarget): boolean {
  const named = a.name !== undefined && a.name === b.name;
  if (a.address === undefined || b.address === undefined) return named;
  if (a.address === b.address) return true;
  return named && Math.abs(distance(a.address, b.address)) <= ENTRY_SLACK;
}

interface Jump {
  readonly call: DescribedCall;
  /** undefined for an indirect jump. */
  readonly target: CallTarget | undefined;
}

export class TailCalls {
  readonly #kernel: Kernel;
  readonly #jumps = new Map<bigint, readonly Jump[]>();

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  static of(kernel: Kernel): TailCalls {
    return kernel.memo(TailCalls, () => new TailCalls(kernel));
  }

  /** Can `to` be entered by jumps that begin in `from`? Indirect jumps are not followed. */
  reaches(from: CallTarget, to: CallTarget): boolean {
    return this.#ways(from, to, 1).ways.length > 0;
  }

  /** The jumps that lead from one function to another; undefined unless there is exactly one way. */
  way(from: CallTarget, to: CallTarget): readonly DescribedCall[] | undefined {
    const { ways, open } = this.#ways(from, to, 2);
    return ways.length === 1 && !open ? ways[0] : undefined;
  }

  /** The one jump of a function to another; undefined when there is none, or more. */
  jumpTo(from: CallTarget, to: CallTarget): DescribedCall | undefined {
    const jumps = this.#jumpsOf(from).filter(({ target }) => target !== undefined && isSame(target, to));
    return jumps.length === 1 ? jumps[0]?.call : undefined;
  }

  /** Jumps of a function to what a register or memory holds. */
  indirectJumps(from: CallTarget): readonly DescribedCall[] {
    return this.#jumpsOf(from).flatMap(({ call, target }) => (target === undefined ? [call] : []));
  }

  /** Up to `wanted` ways; `open`: an indirect jump on the way, or the bound, may hide another. */
  #ways(from: CallTarget, to: CallTarget, wanted: number): { readonly ways: readonly DescribedCall[][]; readonly open: boolean } {
    const ways: DescribedCall[][] = [];
    let open = false;
    let left = MAX_FUNCTIONS;
    const follow = (here: CallTarget, way: readonly DescribedCall[]): void => {
      if (way.length >= MAX_JUMPS || left-- <= 0) {
        open = true;
        return;
      }
      for (const { call, target } of this.#jumpsOf(here)) {
        if (ways.length >= wanted) return;
        if (target === undefined) open = true;
        else if (isSame(target, to)) ways.push([...way, call]);
        else follow(target, [...way, call]);
      }
    };
    follow(from, []);
    return { ways, open };
  }

  #jumpsOf({ address }: CallTarget): readonly Jump[] {
    if (address === undefined) return [];
    let jumps = this.#jumps.get(address);
    if (jumps === undefined) {
      const owner = this.#kernel.debugInfo.at(virtual(address));
      const fn = owner?.info.scopesAt(owner.link).at(-1) ?? owner?.info.scopesAt(owner.link + BigInt(ENTRY_SLACK)).at(-1);
      const sites = owner === undefined ? [] : (fn?.callSites ?? []).filter(({ tail }) => tail);
      jumps = sites.map((site) => ({
        call: { site, owner: owner as BoundDebugInfo },
        target: directTarget(this.#kernel, owner as BoundDebugInfo, site),
      }));
      this.#jumps.set(address, jumps);
    }
    return jumps;
  }
}
