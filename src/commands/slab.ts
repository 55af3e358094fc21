/** `slab`: views of the slab allocator that crash has no word for: owners of objects and pages, every object of a cache. */
import { UsageError } from "../bytes/errors.ts";
import { literal } from "./api-code.ts";
import { defineCommand } from "./command.ts";
import { listObjects, type ObjectList, objectsText } from "./slab/objects.ts";
import { cacheOwners, type OwnerOfAddress, type OwnersSummary, ownerOf, ownersOfPages, ownersText } from "./slab/owners.ts";
import { parseCount } from "./support/numbers.ts";

export type SlabResult = OwnersSummary | OwnerOfAddress | ObjectList;

/** Stacks that are shown unless told. */
const DEFAULT_GROUPS = 20;

export const slab = defineCommand<SlabResult>({
  spec: {
    name: "slab",
    summary: "owners of slab objects and pages; every object of a cache",
    synopsis: ["owners [-f] [-n count] [cache | address]", "owners -p [-n count]", "objects [-a | -f] cache"],
    description: [
      "owners groups the objects in use of a cache, or of all caches, by the stack trace that allocated them: what holds the memory, and who leaks. It reads what slub_debug (boot option slub_debug=U, slab_debug=U), KASAN and page_owner (page_owner=on) noted through the stack depot. With an address: who allocated and who freed the object there, and the page below it.",
      "objects lists every object of a cache with its state, also those of full slabs, which `kmem -S` only counts: free objects say where they wait.",
    ],
    options: [
      { flag: "-f", help: "owners: who freed the objects that are free; objects: free ones only" },
      { flag: "-a", help: "objects: those in use only" },
      { flag: "-p", help: "owners: blocks of pages by page_owner" },
      { flag: "-n", argument: "count", help: `owners: most stacks to show (${DEFAULT_GROUPS} unless told, 0 for all)` },
    ],
    operands: ["text"],
    examples: [
      ["slab owners", "what holds the slab memory"],
      ["slab owners dentry", "who allocated the dentries in use"],
      ["slab owners ffff888003a4c000", "who allocated and who freed the object there"],
      ["slab owners -p -n 5", "the five stacks that hold most pages"],
      ["slab objects -a filp", "every open file"],
    ],
  },
  run(session, args) {
    const [word, operand, more] = args.operands;
    if (more !== undefined) throw new UsageError("slab: one cache or address at a time");
    if (word === "objects") {
      if (operand === undefined) throw new UsageError("usage: slab objects [-a | -f] cache");
      if (args.has("-a") && args.has("-f")) throw new UsageError("slab: -a and -f exclude each other");
      return listObjects(session, operand, args.has("-a") ? "allocated" : args.has("-f") ? "free" : undefined);
    }
    if (word !== "owners") throw new UsageError("slab: owners or objects? see help slab");
    const count = args.value("-n");
    const limit = count === undefined ? DEFAULT_GROUPS : parseCount(count);
    if (args.has("-p")) {
      if (operand !== undefined) throw new UsageError("slab owners -p: takes no operand; an address alone tells the owner of its page too");
      return ownersOfPages(session, limit);
    }
    if (operand !== undefined && isAddress(operand)) return ownerOf(session.kernel, operand);
    return cacheOwners(session, operand, args.has("-f") ? "free" : "allocation", limit);
  },
  *text(result) {
    yield* result.kind === "objects" ? objectsText(result) : ownersText(result);
  },
  api(_, args) {
    const [word, cache] = args.operands;
    if (word !== "objects" || cache === undefined) return undefined;
    const only = args.has("-a") ? ', "allocated"' : args.has("-f") ? ', "free"' : "";
    return `return { cache: ${literal(cache)}, objects: [...kernel.slabObjects(${literal(cache)}${only})] };`;
  },
});

/** Names of caches may consist of hexadecimal digits; addresses have at least nine. */
function isAddress(text: string): boolean {
  return /^(0x)?[0-9a-f]{9,16}$/i.test(text);
}
