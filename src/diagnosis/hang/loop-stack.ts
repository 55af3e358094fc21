/** The stack of a loop, with the function to name of it, and a list that never ends as a verdict's object. */
import type { DiagnosisContext } from "../context.ts";
import type { Finding } from "../finding.ts";
import { addressOfCode } from "../subject/log-facts.ts";
import { verdictStack } from "../verdict-stack.ts";
import { functionText, guiltyFrame, placeOf } from "./guilty-frame.ts";
import type { ListCircle } from "./list-circle.ts";
import type { Lockup } from "./lockups.ts";
import { runningTimer } from "./running-timer.ts";
import type { Standstill } from "./standstill.ts";
import type { StoppedCpu } from "./stopped-cpu.ts";

export function listObject(list: ListCircle): NonNullable<Finding["object"]> {
  const [first] = list.entries;
  return {
    ...(list.type === undefined ? {} : { type: list.type }),
    ...(list.member === undefined ? {} : { member: list.member }),
    ...(first === undefined ? {} : { address: first }),
    state: `in a circle of ${list.length} ${list.length === 1 ? "entry" : "entries"}`,
    ...(list.cache === undefined ? {} : { cache: list.cache }),
  };
}

/**
 * The stack of the loop and its function: where the list is walked; else the innermost function that the log's sample and the stop have in
 * common, which is nearer to the loop than what it happened to call.
 */
export function loopStack(
  still: Standstill,
  context: DiagnosisContext,
  lockup: Pick<Lockup, "report" | "cpu">,
  cpu: StoppedCpu,
  list: ListCircle | undefined,
) {
  const { stack, struck } = cpu;
  const sample = lockup.report?.event === context.subject.event && lockup.cpu.cpu === cpu.cpu ? context.subject.facts?.code : undefined;
  const logged =
    sample === undefined
      ? undefined
      : typeof sample === "bigint"
        ? still.kernel.symbols.byAddress(sample as never)?.symbol.name
        : sample.name;
  const address = sample === undefined ? undefined : addressOfCode(still.kernel, sample);
  const inList =
    list === undefined
      ? -1
      : stack.frames.findIndex((frame, index) => index >= struck && frame.function?.replace(/\..*/, "") === list.function);
  const common = logged === undefined ? -1 : stack.frames.findIndex((frame, index) => index >= struck && frame.function === logged);
  const from = inList >= 0 ? inList : common >= 0 ? common : struck;
  const timer = list === undefined ? runningTimer(still.kernel, cpu) : undefined;
  const guilty = timer?.frame ?? guiltyFrame(stack, from) ?? cpu.guilty;
  const frames = verdictStack(still.kernel, stack, guilty, struck);
  if (timer !== undefined) {
    const { function: name, module } = timer;
    return {
      frames,
      place: { function: name, ...(module === undefined ? {} : { module }) },
      text: functionText(timer),
      timer,
      sample: undefined,
    };
  }
  return {
    frames,
    place: placeOf(stack, guilty, frames),
    text: functionText(guilty === undefined ? undefined : stack.frames[guilty]),
    timer,
    sample: address === undefined ? undefined : logged,
  };
}
