/** Which slab caches `kmem -s`, `-S` and `-r` show: all, one by name or address, the one that holds an address, but for those of -I. */
import { hex16, physical, type VirtualAddress, virtual } from "../../bytes/address.ts";
import { LookupError, UnsupportedError, UsageError } from "../../bytes/errors.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { namesOfLongestPrefix } from "../../kernel/longest-prefix.ts";
import { type SlabObject, type SlabPage, Slabs } from "../../linux/slab.ts";
import { slabAliases } from "../../linux/slab-aliases.ts";
import type { SlabCache } from "../../linux/slab-cache.ts";
import { slabCaches } from "../../linux/slab-caches.ts";
import { slabLayout } from "../../linux/slab-layout.ts";
import type { ParsedArguments } from "../arguments.ts";
import type { OptionSpec } from "../command.ts";
import { parseAddress, parseHex } from "../support/numbers.ts";

export const IGNORE: OptionSpec = { flag: "-I", argument: "slab[,slab…]", help: "with -s, -S or -r: slab caches to leave out" };

export interface SlabSelection {
  /** Only names and addresses are wanted: the operand was "list". */
  readonly list: boolean;
  readonly caches: readonly SlabCache[];
  readonly ignored: ReadonlySet<string>;
  /** The slab, and the object if any, that an address lies in. */
  readonly at: { readonly slab: SlabPage; readonly object: SlabObject | undefined } | undefined;
  /** What is broken in the list of caches, and that a name was merged into another cache. */
  readonly problems: readonly string[];
}

/** Throws UnsupportedError where the allocator is not known, LookupError for a cache or object that does not exist. */
export function selectSlabs(kernel: Kernel, args: ParsedArguments, option: string): SlabSelection {
  const layout = slabLayout(kernel);
  if (typeof layout === "string") throw new UnsupportedError(`${option}: ${layout}`);
  const [operand, more] = args.operands;
  if (more !== undefined) throw new UsageError(`${option}: one slab cache or address at a time`);
  const ignored = new Set(args.values("-I").flatMap((names) => names.split(",")));
  const { caches, problems } = slabCaches(kernel);
  if (operand === undefined || operand === "list") {
    if (caches.length === 0) throw new UnsupportedError(`${option}: ${problems[0] ?? "the kernel's list of slab caches is empty"}`);
    return { list: operand === "list", caches, ignored, at: undefined, problems };
  }
  const named = caches.filter(({ name }) => name === operand);
  if (named.length > 0) return { list: false, caches: named, ignored, at: undefined, problems };
  const alias = slabAliases(kernel).get(operand);
  if (alias !== undefined) {
    const note = `${operand} was merged into ${alias.name}`;
    return { list: false, caches: [alias], ignored, at: undefined, problems: [...problems, note] };
  }
  if (!/^((0x)?[0-9a-f]+$|[&(])/i.test(operand)) throw noSuchCache(caches, operand);
  const address = operandAddress(kernel, operand, args.has("-P"));
  const self = caches.filter((cache) => cache.address === address);
  if (self.length > 0) return { list: false, caches: self, ignored, at: undefined, problems };
  const slabs = Slabs.of(kernel);
  const slab = slabs?.slabOf(address) ?? slabs?.slabAt(address);
  if (slabs === undefined || slab === undefined) throw new LookupError(`kmem: ${hex16(address)} lies in no slab`);
  return { list: false, caches: [slab.cache], ignored, at: { slab, object: slabs.objectOf(address) }, problems };
}

function noSuchCache(caches: readonly SlabCache[], name: string): LookupError {
  const names = caches.map((cache) => cache.name);
  return new LookupError(
    `kmem: no slab cache named "${name}"`,
    namesOfLongestPrefix(name, (prefix) => names.filter((each) => each.startsWith(prefix)).slice(0, 5)),
  );
}

/** A kernel address, an expression for one, or a physical one (also when it is none of the kernel's). */
function operandAddress(kernel: Kernel, text: string, isPhysical: boolean): VirtualAddress {
  const value = isPhysical ? parseHex(text) : parseAddress(kernel, text);
  if (!isPhysical && kernel.arch.isKernelAddress(value)) return virtual(value);
  const linear = kernel.arch.toLinear(physical(value));
  if (linear === undefined) throw new UnsupportedError("kmem: physical addresses need the linear map, which was not found in this dump");
  return linear;
}
