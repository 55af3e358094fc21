/** A sequence that runs its generator anew each time it is walked: a result can be printed and drained into JSON. */
export function lazy<T>(generate: () => Iterator<T>): Iterable<T> {
  return { [Symbol.iterator]: generate };
}
