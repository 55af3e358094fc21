/** Whole numbers of a result: nanoseconds since 1970, or of months of uptime, are beyond what a number holds exactly (2^53). */

/** A number; decimal text where a number would round it. */
export type Quantity = number | string;

export function quantity(value: bigint): Quantity {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value.toString();
}
