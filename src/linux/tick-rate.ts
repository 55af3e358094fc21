/**
 * CONFIG_HZ of the dead kernel.
 *
 *   clocksource_jiffies.mult = TICK_NSEC << JIFFIES_SHIFT        (kernel/time/jiffies.c): a period of mult >> shift nanoseconds
 *
 * A kernel without data symbols gives it only through its jiffies, held against the log's last stamp.
 */
import { low32 } from "../bytes/address.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { machineTime } from "./timekeeping.ts";

/** Ticks a second that a kernel can be built with (kernel/Kconfig.hz, and some machines' own). */
const RATES = [100, 250, 300, 1000, 1024, 1200] as const;

/** Ticks a second; undefined when nothing tells. */
export function tickRate(kernel: Kernel): number | undefined {
  return kernel.memo(tickRate, () => fromClocksource(kernel) ?? fromJiffies(kernel));
}

function fromClocksource(kernel: Kernel): number | undefined {
  const address = kernel.tryAddress("clocksource_jiffies");
  const type = kernel.types.tryStruct("clocksource");
  const mult = type?.tryField("mult");
  const shift = type?.tryField("shift");
  if (address === undefined || mult === undefined || shift === undefined) return undefined;
  const ticks = kernel.memory.tryU32(mult.address(address));
  const bits = kernel.memory.tryU32(shift.address(address));
  if (ticks === undefined || bits === undefined || ticks === 0 || bits > 32) return undefined;
  return nearestRate(1e9 / (ticks / 2 ** bits));
}

function nearestRate(rate: number): number | undefined {
  return RATES.find((known) => Math.abs(known - rate) < known / 100);
}

/** jiffies_64 starts at INITIAL_JIFFIES, five minutes before zero in 32 bits, and has run at the rate since boot. */
function fromJiffies(kernel: Kernel): number | undefined {
  const address = kernel.tryAddress("jiffies_64") ?? kernel.tryAddress("jiffies");
  const jiffies = address === undefined ? undefined : kernel.memory.tryU64(address);
  const { monotonic } = machineTime(kernel);
  if (jiffies === undefined || monotonic === undefined) return undefined;
  return RATES.find((rate) => {
    const initial = BigInt(low32(BigInt.asUintN(64, BigInt(-300 * rate))));
    const nanoseconds = (Number(jiffies - initial) / rate) * 1e9;
    // Ticks begin some tenths of a second after the clock; a wrong rate is off by minutes.
    return Math.abs(nanoseconds - Number(monotonic)) < 5e9 + Number(monotonic) / 20;
  });
}
