/**
 * What time it was when the machine died, and for how long it had run (kernel/time/timekeeping.c).
 *
 *   struct timekeeper: realtime  = xtime_sec + (tkr_mono.xtime_nsec >> tkr_mono.shift)
 *                      monotonic = realtime + wall_to_monotonic
 *                      boottime  = monotonic + offs_boot             /proc/uptime since 2.6.39 (7c3f1a573237)
 *
 *   6.17+     struct tk_data timekeeper_data[], the first is the core timekeeper     (symbol; type 6.13+)
 *   6.13+     struct tk_data tk_core
 *   3.17+     tk_core { seqcount_t or seqcount_raw_spinlock_t seq; struct timekeeper timekeeper; }     anonymous
 *   3.4–3.16  struct timekeeper timekeeper
 *             tkr_mono was tkr in 3.17–4.0 (876e78818def); before, its members stood in struct timekeeper itself (d28ede83791d)
 *   no symbol found by its shape: timekeeper-search.ts
 *
 * The timekeeper is moved on by the tick: the answer is exact to a tick, and a machine that idled without ticks may lag behind. Where no
 * timekeeper can be found, uptime comes from jiffies with the tick rate that agrees with the log, or from the log alone.
 */
import { add, low32, type VirtualAddress } from "../bytes/address.ts";
import { InquestError } from "../bytes/errors.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { readLog } from "./printk.ts";
import { searchTimekeeper } from "./timekeeper-search.ts";

const NANO = 1_000_000_000n;
/** CONFIG_HZ values that are in use. */
const TICK_RATES = [250, 1000, 100, 300, 1024, 1200] as const;

export interface MachineTime {
  /** Nanoseconds since boot, suspend included (CLOCK_BOOTTIME); undefined when nothing tells. */
  readonly uptime: bigint | undefined;
  /** Nanoseconds since boot without suspend (CLOCK_MONOTONIC). */
  readonly monotonic: bigint | undefined;
  /** Nanoseconds since 1970 (CLOCK_REALTIME). */
  readonly realtime: bigint | undefined;
  /** Where the uptime and date come from, in words: "timekeeper", "jiffies", "last log record". */
  readonly uptimeSource: string;
  readonly dateSource: string;
}

/** Reads the clocks; once per dump. */
export function machineTime(kernel: Kernel): MachineTime {
  return kernel.memo(machineTime, () => {
    const clocks = readTimekeeper(kernel);
    const crashTime = kernel.vmcoreinfo === undefined ? undefined : crashTimeSeconds(kernel);
    const header = kernel.dump.timestamp;
    const date =
      crashTime !== undefined
        ? { at: BigInt(crashTime) * NANO, source: "CRASHTIME of VMCOREINFO" }
        : clocks !== undefined
          ? { at: clocks.realtime, source: "timekeeper" }
          : header !== undefined
            ? { at: BigInt(Math.floor(header)) * NANO, source: "the dump's header" }
            : { at: undefined, source: "unknown" };
    if (clocks !== undefined) return { ...clocks, realtime: date.at, uptimeSource: "timekeeper", dateSource: date.source };
    const jiffies = uptimeFromJiffies(kernel);
    const log = lastLogTime(kernel);
    const uptime = jiffies ?? log;
    const source = jiffies !== undefined ? "jiffies" : log !== undefined ? "last log record" : "unknown";
    return { uptime, monotonic: uptime, realtime: date.at, uptimeSource: source, dateSource: date.source };
  });
}

/** The wall-clock time of a log stamp in nanoseconds since 1970; undefined when the date is unknown. Approximate, as `dmesg -T` is. */
export function logStampToDate(kernel: Kernel, nanoseconds: bigint): bigint | undefined {
  const time = machineTime(kernel);
  // Log stamps follow CLOCK_MONOTONIC closely: both start at boot and stop in suspend.
  return time.realtime === undefined || time.monotonic === undefined ? undefined : time.realtime - time.monotonic + nanoseconds;
}

function readTimekeeper(kernel: Kernel): { uptime: bigint; monotonic: bigint; realtime: bigint } | undefined {
  const at = timekeeperAddress(kernel);
  const struct = kernel.types.tryStruct("timekeeper");
  if (at === undefined || struct === undefined) return undefined;
  const seconds = struct.tryField("xtime_sec");
  const fraction = struct.firstField("tkr_mono.xtime_nsec", "tkr.xtime_nsec", "xtime_nsec");
  const shift = struct.firstField("tkr_mono.shift", "tkr.shift", "shift");
  const toMonotonicSeconds = struct.tryField("wall_to_monotonic.tv_sec");
  const toMonotonicNano = struct.tryField("wall_to_monotonic.tv_nsec");
  if (
    seconds === undefined ||
    fraction === undefined ||
    shift === undefined ||
    toMonotonicSeconds === undefined ||
    toMonotonicNano === undefined
  )
    return undefined;
  const { memory } = kernel;
  const page = memory.tryBytes(at, struct.size);
  if (page === undefined) return undefined;
  const bits = shift.number(at);
  if (bits > 32) return undefined;
  const realtime = seconds.bigint(at) * NANO + (fraction.bigint(at) >> BigInt(bits));
  const monotonic = realtime + toMonotonicSeconds.bigint(at) * NANO + toMonotonicNano.bigint(at);
  // ktime_t was a union with tv64 before 4.10 (2456e8553544).
  const boot = struct.firstField("offs_boot.tv64", "offs_boot");
  const uptime = monotonic + (boot === undefined ? 0n : BigInt.asIntN(64, boot.bigint(at)));
  // A timekeeper that was never set, or an address that is none.
  if (monotonic < 0n || uptime < monotonic || realtime <= 0n) return undefined;
  return { uptime, monotonic, realtime };
}

function timekeeperAddress(kernel: Kernel): VirtualAddress | undefined {
  const outer = kernel.tryAddress("timekeeper_data") ?? kernel.tryAddress("tk_core");
  if (outer === undefined) return kernel.tryAddress("timekeeper") ?? searchTimekeeper(kernel);
  const data = kernel.types.tryStruct("tk_data")?.tryField("timekeeper");
  if (data !== undefined) return data.address(outer);
  // The anonymous struct: the sequence counter (larger with lockdep), then the timekeeper at the next multiple of 8. 5.9 changed the
  // counter's type (025e82bcbc34); both types exist since then, and the new one holds the old.
  const counter =
    kernel.types.tryStruct("seqcount_raw_spinlock_t") ??
    kernel.types.tryStruct("seqcount_raw_spinlock") ??
    kernel.types.tryStruct("seqcount");
  return add(outer, Math.ceil((counter?.size ?? 8) / 8) * 8);
}

function crashTimeSeconds(kernel: Kernel): number | undefined {
  const text = kernel.dump.vmcoreinfo ?? "";
  const found = /^CRASHTIME=(\d+)$/m.exec(text);
  return found === null ? undefined : Number(found[1]);
}

/**
 * jiffies start at INITIAL_JIFFIES = -300 s, so that they wrap five minutes after boot. The tick rate is not among the symbols: it is
 * the one that agrees best with the log's last stamp.
 */
function uptimeFromJiffies(kernel: Kernel): bigint | undefined {
  const address = kernel.tryAddress("jiffies_64") ?? kernel.tryAddress("jiffies");
  const value = address === undefined ? undefined : kernel.memory.tryU64(address);
  const log = lastLogTime(kernel);
  if (value === undefined || log === undefined) return undefined;
  return uptimeOfJiffies(value, log);
}

/** Exported for its test: nanoseconds since boot for a value of jiffies_64, by the rate nearest to the log's last stamp. */
export function uptimeOfJiffies(jiffies: bigint, lastStamp: bigint): bigint | undefined {
  let best: { uptime: bigint; distance: bigint } | undefined;
  for (const rate of TICK_RATES) {
    // INITIAL_JIFFIES is an unsigned int widened to 64 bits.
    const initial = BigInt(low32(BigInt.asUintN(64, BigInt(-300 * rate))));
    const ticks = BigInt.asIntN(64, jiffies - initial);
    if (ticks < 0n) continue;
    const uptime = (ticks * NANO) / BigInt(rate);
    // Time runs on after the last record: a stamp in the future of the clock speaks against the rate.
    const distance = uptime + NANO >= lastStamp ? uptime - lastStamp : (lastStamp - uptime) * 4n;
    const size = distance < 0n ? -distance : distance;
    if (best === undefined || size < best.distance) best = { uptime, distance: size };
  }
  return best?.uptime;
}

function lastLogTime(kernel: Kernel): bigint | undefined {
  try {
    let last: bigint | undefined;
    for (const { nanoseconds } of readLog(kernel).records)
      if (nanoseconds !== undefined && (last === undefined || nanoseconds > last)) last = nanoseconds;
    return last;
  } catch (error) {
    if (!(error instanceof InquestError)) throw error;
    // No log in this dump: nothing to compare with.
    return undefined;
  }
}
