/**
 * Veneers of arm64: a module calls what is out of reach of `bl` through an entry that the module loader made (arch/arm64/kernel/module-plts.c,
 * struct plt_entry since 5.0: bdb85cd1d206). It has no symbol.
 *
 *   bl   0xffff…2a4                        0xffff…2a4:  adrp x16, page
 *                                                       add  x16, x16, #offset
 *                                                       br   x16               ─► mutex_lock
 */
import { add, type VirtualAddress, virtual } from "../bytes/address.ts";
import type { Kernel } from "../kernel/kernel.ts";

const BTI_C = 0xd503245f;

/** Where a veneer leads; undefined when none lies there. */
export function veneerTarget(kernel: Kernel, address: VirtualAddress): VirtualAddress | undefined {
  if (kernel.arch.name !== "aarch64") return undefined;
  const first = kernel.memory.tryU32(address);
  const at = first === BTI_C ? add(address, 4) : address;
  const [page, offset, jump] = [0, 4, 8].map((each) => kernel.memory.tryU32(add(at, each)));
  if (page === undefined || offset === undefined || jump === undefined) return undefined;
  const register = page & 31;
  const isPage = (page & 0x9f000000) >>> 0 === 0x90000000;
  const isAdd = (offset & 0xffc00000) >>> 0 === 0x91000000 && (offset & 31) === register && ((offset >>> 5) & 31) === register;
  const isJump = (jump & 0xfffffc1f) >>> 0 === 0xd61f0000 && ((jump >>> 5) & 31) === register;
  if (!isPage || !isAdd || !isJump) return undefined;
  const pages = BigInt.asIntN(21, (BigInt((page >>> 5) & 0x7ffff) << 2n) | BigInt((page >>> 29) & 3));
  return virtual((at & ~0xfffn) + (pages << 12n) + BigInt((offset >>> 10) & 0xfff));
}
