/**
 * The structure that a slab object holds, by the name of its cache: a cache of one structure is mostly named after it (KMEM_CACHE() makes it
 * so, include/linux/slab.h). Believed only when the structure fits the object: not larger, and not smaller by more than the alignment of
 * caches. Caches of kmalloc() say nothing.
 *
 * The allocator merges caches of one size (mm/slab_common.c, find_mergeable): the name is then only that of the first of them. Of a merged
 * cache nothing is said unless what is known of the object fits just one of all the structures whose names were merged.
 */
import { virtual } from "../../bytes/address.ts";
import { InquestError } from "../../bytes/errors.ts";
import type { CType } from "../../debug-info/c-type.ts";
import { sizeOf } from "../../debug-info/c-type.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { type SlabObject, Slabs } from "../../linux/slab.ts";
import { aliasesOf } from "../../linux/slab-aliases.ts";

export interface ObjectType {
  /** Start of the object. */
  readonly address: bigint;
  /** "struct lab_widget". */
  readonly name: string;
  readonly type: CType;
  readonly object: SlabObject;
}

/** Room that alignment to a cache line, and debugging fields behind the object, may add. */
const SLACK = 192;

/**
 * undefined when the address is in no slab object, or nothing tells what that holds. Never throws for damaged memory.
 * @param fits what else is known of the structure: asked when the cache was merged
 */
export function objectType(kernel: Kernel, address: bigint, fits?: (type: CType, offset: number) => boolean): ObjectType | undefined {
  try {
    const object = kernel.arch.isKernelAddress(address) ? Slabs.of(kernel)?.objectOf(virtual(address)) : undefined;
    if (object === undefined) return undefined;
    const merged = isMerged(kernel, object);
    if (merged && fits === undefined) return undefined;
    const names = merged ? [object.cache, ...aliasesOf(kernel, object.cacheAddress)] : [object.cache];
    const found = names.flatMap((name) => structureOf(kernel, name, object) ?? []);
    const [only] = merged ? found.filter(({ type }) => fits?.(type, object.offset)) : found;
    const many = merged && found.filter(({ type }) => fits?.(type, object.offset)).length > 1;
    return only === undefined || many ? undefined : { ...only, address: object.object, object };
  } catch (error) {
    if (error instanceof InquestError) return undefined;
    throw error;
  }
}

/** kmem_cache.refcount counts the caches that were merged into one. */
function isMerged(kernel: Kernel, { cacheAddress }: SlabObject): boolean {
  const field = kernel.types.tryStruct("kmem_cache")?.tryField("refcount");
  return (field === undefined ? 1 : field.number(cacheAddress)) > 1 || aliasesOf(kernel, cacheAddress).length > 0;
}

function structureOf(
  kernel: Kernel,
  cache: string,
  { objectSize }: SlabObject,
): { readonly name: string; readonly type: CType } | undefined {
  for (const name of namesFor(cache)) {
    const type = kernel.types.find("struct", name, { modules: true });
    const size = type === undefined ? 0 : sizeOf(type);
    if (type !== undefined && size > 0 && size <= objectSize && objectSize - size < SLACK) return { name: `struct ${name}`, type };
  }
  return undefined;
}

/**
 * Caches of the kernel that are not named after their structure: of protocols (net/core/sock.c, proto_register: the name is the protocol's,
 * with request_sock_ and tw_sock_ before it for connections that are coming and going), of inodes, of files.
 */
const OTHER_NAMES: readonly (readonly [RegExp, readonly string[]])[] = [
  [/^request_sock_TCP(?:v6)?$/, ["tcp_request_sock"]],
  [/^tw_sock_TCP(?:v6)?$/, ["tcp_timewait_sock", "tcp6_timewait_sock"]],
  [/^TCP$/, ["tcp_sock"]],
  [/^TCPv6$/, ["tcp6_sock"]],
  [/^UDP(?:-Lite)?$/, ["udp_sock"]],
  [/^UDP(?:LITE)?v6$/, ["udp6_sock"]],
  [/^RAW$/, ["raw_sock"]],
  [/^RAWv6$/, ["raw6_sock"]],
  [/^UNIX(?:-STREAM)?$/, ["unix_sock"]],
  [/^sock_inode_cache$/, ["socket_alloc"]],
  [/^inode_cache$/, ["inode"]],
  [/^filp$/, ["file"]],
  [/^skbuff_head_cache$/, ["sk_buff"]],
  [/^skbuff_fclone_cache$/, ["sk_buff_fclones"]],
  [/^mnt_cache$/, ["mount"]],
  [/^bdev_cache$/, ["bdev_inode"]],
  [/^eventpoll_epi$/, ["epitem"]],
  [/^eventpoll_pwq$/, ["eppoll_entry"]],
  [/^radix_tree_node$/, ["xa_node", "radix_tree_node"]],
];

/** Names that a cache's structure may have: its own, without the endings that the kernel's caches have. */
function namesFor(cache: string): readonly string[] {
  if (/^(?:kmalloc|dma-kmalloc|bio-|biovec|pool_)/.test(cache) || cache.startsWith(":")) return [];
  const plain = cache.replace(/_(?:cache|cachep|slab|jar|pool)$/, "");
  const other = OTHER_NAMES.find(([pattern]) => pattern.test(cache))?.[1] ?? [];
  return [
    ...new Set([...other, cache, plain, cache.replaceAll("-", "_"), cache.replace(/_cache$/, "_node"), `${plain}_info`, `${plain}_struct`]),
  ];
}
