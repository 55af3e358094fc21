/**
 * How many bytes a call allocates, where the code has the number as a constant: kmalloc(sizeof(struct T)) becomes a call with that number.
 * mm/slab_common.c and mm/slub.c of the releases named, drivers/base/devres.c.
 */
import type { FunctionFlow } from "../../type-flow/function-flow.ts";
import type { Machine } from "../../type-flow/machine.ts";
import type { Origin } from "../../type-flow/origin.ts";

/** Number of the argument that is the size. */
const SIZES: readonly (readonly [RegExp, number])[] = [
  // kmalloc() of a constant: until 6.0, 6.1 to 6.10, since 6.11.
  [/^(?:kmem_cache_alloc(?:_node)?_trace|kmalloc_trace|kmalloc_node_trace|__kmalloc_cache(?:_node)?_noprof)$/, 2],
  [/^(?:__kmalloc|__kmalloc_noprof|__kmalloc_node\w*|kvmalloc_node\w*|vmalloc\w*|vzalloc\w*|kmalloc_large\w*)$/, 0],
  [/^(?:devm_kmalloc|devm_kzalloc)$/, 1],
];

/** From kmalloc_node_trace() on the node stands before the size. */
const WITH_NODE = /_node_trace$|_cache_node_noprof$/;

export function allocationSize(
  flow: FunctionFlow,
  machine: Machine,
  { pc, callee }: Extract<Origin, { readonly kind: "result" }>,
): number | undefined {
  const known = callee === undefined ? undefined : SIZES.find(([pattern]) => pattern.test(callee));
  if (known === undefined || callee === undefined) return undefined;
  const register = machine.arguments[WITH_NODE.test(callee) ? known[1] + 1 : known[1]];
  const constant = register === undefined ? undefined : flow.at(pc)?.registers.get(register)?.constant;
  return constant === undefined || constant > 1n << 22n ? undefined : Number(constant);
}
