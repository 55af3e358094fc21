/**
 * Timers that wait in the wheels of all CPUs: kernel/time/timer.c.
 *
 *   timer_bases[n].vectors[bucket] ─► timer_list.entry ─► …      hlists; timer.function leads into code
 */
import { add } from "../../../bytes/address.ts";
import { timerBases } from "../../../linux/timer-wheel.ts";
import type { Survey } from "../survey.ts";

/** Buckets of a wheel: LVL_SIZE × LVL_DEPTH is 576 at the most. */
const MAX_BUCKETS = 1024;

export function surveyTimers(survey: Survey): void {
  const { kernel } = survey;
  const vectors = survey.field("timer_base", "vectors");
  if (vectors === undefined) return;
  for (const [cpu, offset] of kernel.perCpuOffsets.entries()) {
    if (offset === undefined) continue;
    survey.quietly(() => {
      for (const base of timerBases(kernel, cpu, [])) {
        const buckets = Math.min(MAX_BUCKETS, Math.floor(vectors.size / 8));
        for (let bucket = 0; bucket < buckets; bucket++) {
          const address = add(vectors.address(base.address), bucket * 8);
          for (const timer of survey.chain(
            "timers of a CPU",
            { address, symbol: `timer_bases of CPU ${cpu}, bucket ${bucket}` },
            "timer_list",
            "entry",
          ))
            survey.pointer("timer_list", "function", timer, "function");
        }
      }
    });
  }
}
