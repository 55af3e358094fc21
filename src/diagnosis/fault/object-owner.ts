/**
 * Whose an object is that the kernel's own code stumbled over: the module that freed or allocated it, where slub_debug or KASAN noted that;
 * else the module whose callback is in it. A timer that fires in freed memory is found by the timer wheel, which knows nothing of its owner.
 *
 *   struct timer_list { entry, expires, function = ka_expired [keepalive] }
 */
import { virtual } from "../../bytes/address.ts";
import { strip } from "../../debug-info/c-type.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { Tracks } from "../checks/tracks.ts";
import type { LoadStep } from "./origin-step.ts";

export interface ObjectOwner {
  readonly function: string;
  readonly module: string;
  readonly text: string;
}

/** Members of one structure that are looked at. */
const MAX_MEMBERS = 64;

/** undefined when nothing in the dump says so, or the owner is the kernel itself. @param tracks of the object */
export function objectOwner(kernel: Kernel, source: LoadStep | undefined, tracks: Tracks): ObjectOwner | undefined {
  for (const track of [tracks.freed, tracks.allocated])
    if (track?.module !== undefined) return { function: track.function, module: track.module, text: track.text };
  const name = /^struct (\w+)$/.exec(source?.container ?? "")?.[1];
  const type = name === undefined ? undefined : kernel.types.find("struct", name, { modules: true });
  if (source?.base === undefined || type?.kind !== "struct") return undefined;
  for (const member of type.members.slice(0, MAX_MEMBERS)) {
    const plain = strip(member.type);
    if (plain.kind !== "pointer" || strip(plain.target).kind !== "function" || member.name === undefined) continue;
    const word = kernel.memory.tryU64(virtual(BigInt.asUintN(64, source.base + BigInt(member.bitOffset >> 3))));
    const code = word === undefined || !kernel.arch.isKernelAddress(word) ? undefined : kernel.symbols.byAddress(virtual(word));
    if (code?.symbol.module === undefined || code.offset !== 0) continue;
    const { name: callback, module } = code.symbol;
    return { function: callback, module, text: `its ${member.name} is ${callback} [${module}]` };
  }
  return undefined;
}
