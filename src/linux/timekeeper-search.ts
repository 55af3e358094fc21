/**
 * Finds the kernel's timekeeper where kallsyms does not list `tk_core` (arm64 kernels without KALLSYMS_ALL, up to Debian 12's).
 *
 * struct timekeeper begins with tkr_mono and holds tkr_raw, two tk_read_base that name the same clocksource:
 *
 *   tkr_mono { clock ●──┐  mask, cycle_last, mult, shift, xtime_nsec, base }
 *   tkr_raw  { clock ●──┴─► struct clocksource { …, mask, …, name ─► "arch_sys_counter" } }
 *
 * A place in the image's data where both pointers, both masks and both shifts agree with a clocksource that has a printable name, and
 * where xtime_sec is a time of this century, is one. The kernel keeps a shadow with the same contents: the later of the two is taken.
 */
import { add, distance, type VirtualAddress } from "../bytes/address.ts";
import { FaultError } from "../bytes/errors.ts";
import type { Field } from "../kernel/field.ts";
import type { Kernel } from "../kernel/kernel.ts";

/** .data of a large kernel takes some MiB; the exported variables lie all over it. */
const REACH = 16 << 20;
const CHUNK = 4096;
const NEAR = 1 << 20;
/** 2000-01-01 and 2100-01-01. */
const EARLIEST = 946_684_800;
const LATEST = 4_102_444_800;

/** Address of a struct timekeeper, or undefined. Reads the image's data once. */
export function searchTimekeeper(kernel: Kernel): VirtualAddress | undefined {
  const struct = kernel.types.tryStruct("timekeeper");
  const source = kernel.types.tryStruct("clocksource");
  const starts = ["jiffies", "init_task"].map((name) => kernel.tryAddress(name)).filter((address) => address !== undefined);
  const start = starts.sort((a, b) => (a < b ? -1 : 1))[0];
  if (struct === undefined || source === undefined || start === undefined) return undefined;
  const field = (path: string) => struct.tryField(path);
  const mono = field("tkr_mono.clock");
  const raw = field("tkr_raw.clock");
  const check: Check = {
    mono: [field("tkr_mono.mask"), field("tkr_mono.shift")],
    raw: [field("tkr_raw.mask"), field("tkr_raw.shift")],
    seconds: field("xtime_sec"),
    sourceMask: source.tryField("mask"),
    sourceName: source.tryField("name"),
  };
  if (mono === undefined || raw === undefined || check.seconds === undefined) return undefined;
  // In halves of words, from tkr_mono.clock on.
  const gap = (raw.offset - mono.offset) / 4;
  const time = (check.seconds.offset - mono.offset) / 4;
  const reach = Math.max(gap, time) + 1;
  let best: { at: VirtualAddress; seconds: bigint } | undefined;
  const first = (start & ~BigInt(CHUNK - 1)) as VirtualAddress;
  // A page and the start of the next, so that one that crosses is seen. Halves of words, as bigints would cost more than all the rest.
  const halves = new Uint32Array(CHUNK / 4 + reach);
  let next = kernel.memory.tryBytes(first, CHUNK);
  for (let offset = 0; offset < REACH; offset += CHUNK) {
    const here = add(first, offset);
    const page = next;
    next = kernel.memory.tryBytes(add(here, CHUNK), CHUNK);
    if (page === undefined) continue;
    halves.fill(0);
    halves.set(new Uint32Array(page.buffer));
    if (next !== undefined) halves.set(new Uint32Array(next.buffer, 0, reach), CHUNK / 4);
    for (let i = 0; i < CHUNK / 4; i += 2) {
      const high = halves[i + 1] as number;
      if (high < 0x8000_0000 || high !== halves[i + gap + 1] || halves[i] !== halves[i + gap]) continue;
      if (halves[i + time + 1] !== 0 || (halves[i + time] as number) < EARLIEST) continue;
      const at = add(here, i * 4 - mono.offset);
      const seconds = timekeeperSeconds(kernel, check, at, mono.pointer(at));
      if (seconds !== undefined && (best === undefined || seconds > best.seconds)) best = { at, seconds };
    }
    // The shadow lies near by.
    if (best !== undefined && distance(here, best.at) > NEAR) break;
  }
  return best?.at;
}

interface Check {
  readonly mono: readonly (Field | undefined)[];
  readonly raw: readonly (Field | undefined)[];
  readonly seconds: Field | undefined;
  readonly sourceMask: Field | undefined;
  readonly sourceName: Field | undefined;
}

/** xtime_sec of a place that passes all checks. */
function timekeeperSeconds(kernel: Kernel, check: Check, at: VirtualAddress, source: VirtualAddress): bigint | undefined {
  try {
    const seconds = check.seconds?.bigint(at);
    if (seconds === undefined || seconds < BigInt(EARLIEST) || seconds > BigInt(LATEST)) return undefined;
    for (const [i, field] of check.mono.entries()) {
      if (field === undefined || field.bigint(at) !== check.raw[i]?.bigint(at)) return undefined;
    }
    // Masks are all ones from bit 0 on.
    const mask = BigInt.asUintN(64, check.mono[0]?.bigint(at) ?? 0n);
    if (mask === 0n || (mask & (mask + 1n)) !== 0n || (check.mono[1]?.number(at) ?? 64) > 32) return undefined;
    if (check.sourceMask === undefined || BigInt.asUintN(64, check.sourceMask.bigint(source)) !== mask) return undefined;
    const name = check.sourceName === undefined ? "" : kernel.memory.cString(check.sourceName.pointer(source), 64);
    return /^[\x21-\x7e]+$/.test(name) ? seconds : undefined;
  } catch (error) {
    if (error instanceof FaultError) return undefined;
    throw error;
  }
}
