/**
 * Plain property access on typed values, for the prompt and for short scripts:
 *
 *   $.init_task.comm                 members; pointers are followed          String(…) is the text that gdb prints
 *   $.init_task.mm?.pgd              a NULL pointer stays a value: .$value.boolean() tells
 *   $.runqueues                      per-CPU variables: kernel.perCpu(name, cpu).$
 *   task.comm + ""                   text;  task.pid + 1 is arithmetic (numbers below 2^53 are numbers, others bigints)
 *   [...$.avenrun]                   iteration over arrays
 *   x.$value                         the Value behind it, with all its methods: x.$value.list("struct task_struct", "tasks")
 *
 * A property is always a member when the structure has one of that name; `$value` is the only name of our own.
 */
import { strip } from "../debug-info/c-type.ts";
import type { Value } from "./value.ts";

/**
 * A value whose properties are the members of its structure and whose indexes are the elements of its array; `$value` is the Value
 * itself.
 */
// biome-ignore lint/suspicious/noExplicitAny: which members there are is known only to the dump
export type Interactive = { readonly $value: Value } & { readonly [member: string]: any };

/** Wraps a value. */
export function interactive(value: Value): Interactive {
  // A function as target would make it callable; an object keeps `typeof` an object.
  return new Proxy({} as object, new Handler(value)) as unknown as Interactive;
}

class Handler implements ProxyHandler<object> {
  readonly #value: Value;

  constructor(value: Value) {
    this.#value = value;
  }

  get(_target: object, property: string | symbol): unknown {
    const value = this.#value;
    if (property === "$value") return value;
    if (typeof property === "symbol") return this.#symbol(property);
    if (value.has(property)) return interactive(value.member(property));
    if (/^\d+$/.test(property)) return interactive(value.index(Number(property)));
    switch (property) {
      case "toString":
        return () => value.toString();
      case "valueOf":
        return () => scalar(value);
      case "toJSON":
        return () => value.toJSON();
      case "length":
        return value.length;
      case "then":
        // What has a `then` is taken for a promise by `await`.
        return undefined;
      default:
        return interactive(value.member(property));
    }
  }

  has(_target: object, property: string | symbol): boolean {
    return typeof property === "string" && (property === "$value" || property === "toJSON" || this.#value.has(property));
  }

  ownKeys(): string[] {
    return [...new Set(this.#value.members())];
  }

  getOwnPropertyDescriptor(_target: object, property: string | symbol): PropertyDescriptor | undefined {
    if (typeof property !== "string" || !this.#value.has(property)) return undefined;
    return { configurable: true, enumerable: true, get: () => interactive(this.#value.member(property)) };
  }

  set(): boolean {
    return false;
  }

  #symbol(symbol: symbol): unknown {
    const value = this.#value;
    if (symbol === Symbol.iterator)
      return function* () {
        for (const element of value) yield interactive(element);
      };
    if (symbol === Symbol.toPrimitive) return (hint: string) => (hint === "string" ? value.toString() : scalar(value));
    if (symbol === Symbol.toStringTag) return value.typeName;
    return undefined;
  }
}

/** What arithmetic works with: text for character arrays, a number where it is exact, else a bigint. */
function scalar(value: Value): string | number | bigint {
  const own = strip(value.type);
  if (own.kind === "array") return value.string();
  const bits = value.bigint();
  return own.kind !== "pointer" && bits <= BigInt(Number.MAX_SAFE_INTEGER) && bits >= BigInt(Number.MIN_SAFE_INTEGER) ? Number(bits) : bits;
}

/** The kernel's variables as properties. */
export function interactiveRoot(kernel: { readonly variable: (name: string) => Value }): Interactive {
  return new Proxy(
    {},
    {
      get: (_target, property) =>
        typeof property === "string" && property !== "then" ? interactive(kernel.variable(property)) : undefined,
      set: () => false,
    },
  ) as unknown as Interactive;
}
