/** The row of a mapping, as vm and vtop show it. */
import { hex16 } from "../../bytes/address.ts";

export const VMA_HEADER = "      VMA           START       END     FLAGS FILE";

export interface VmaRow {
  readonly vma: bigint;
  readonly start: bigint;
  readonly end: bigint;
  readonly flags: bigint;
  /** Path, or "[heap]", "[stack]" …: what /proc/PID/maps shows. */
  readonly name?: string;
}

export function vmaText({ vma, start, end, flags, name }: VmaRow): string {
  const range = `${start.toString(16).padStart(10)} ${end.toString(16).padStart(10)}`;
  return `${hex16(vma)} ${range} ${flags.toString(16).padStart(6)} ${name ?? ""}`.trimEnd();
}
