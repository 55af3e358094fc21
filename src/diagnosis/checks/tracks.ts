/** Who allocated and who freed an object, where slub_debug or KASAN noted it: the function that asked, and a sentence on it. */
import { hex16, type VirtualAddress } from "../../bytes/address.ts";
import { InquestError } from "../../bytes/errors.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { AllocationTrack } from "../../linux/allocation-track.ts";
import { objectTracks } from "../../linux/slab-owners.ts";
import { plainName } from "../fault/words.ts";
import type { LogReport } from "../log-report/report.ts";
import { isTool } from "./blame.ts";

export interface Track {
  readonly function: string;
  readonly module?: string;
  /** "freed by gadget_put+0x12 [gadget], pid 1, at 12.345 s". */
  readonly text: string;
}

export interface Tracks {
  readonly allocated?: Track;
  readonly freed?: Track;
}

/** Nothing where no track is kept. Never throws for damaged memory. */
export function tracksOf(kernel: Kernel, address: bigint): Tracks {
  try {
    const found = objectTracks(kernel, address);
    const allocated = trackOf(kernel, found?.allocated, "allocated");
    const freed = trackOf(kernel, found?.freed, "freed");
    return { ...(allocated === undefined ? {} : { allocated }), ...(freed === undefined ? {} : { freed }) };
  } catch (error) {
    if (error instanceof InquestError) return {};
    throw error;
  }
}

/**
 * The same as the report printed it: what memory keeps is of the last time, and the object may have been given out and back since.
 * @param then what memory says, told where both agree, as it knows the time
 */
export function tracksTold({ traces }: Pick<LogReport, "traces">, then: Tracks): Tracks {
  const told = (name: "Allocated" | "Freed", what: "allocated" | "freed"): Track | undefined => {
    const trace = traces.find((each) => each.name === name);
    const frames = (trace?.frames ?? []).filter((each) => each.function !== undefined && each.doubtful !== true);
    const place = frames.find((each) => !isTool({ function: each.function ?? "", module: each.module })) ?? frames[0];
    if (place?.function === undefined) return then[what];
    const { module } = place;
    const own = plainName(place.function);
    if (then[what]?.function === own && then[what]?.module === module) return then[what];
    const offset = place.offset === undefined ? "" : `+0x${place.offset.toString(16)}`;
    const by = `${place.function}${offset}${module === undefined ? "" : ` [${module}]`}`;
    const pid = trace?.pid === undefined ? "" : `, task ${trace.pid}`;
    return { function: own, ...(module === undefined ? {} : { module }), text: `${what} by ${by}${pid}` };
  };
  const allocated = told("Allocated", "allocated");
  const freed = told("Freed", "freed");
  return { ...(allocated === undefined ? {} : { allocated }), ...(freed === undefined ? {} : { freed }) };
}

/** The innermost frame that is no tool; what slub_debug noted as the caller where there is no stack. */
function trackOf(kernel: Kernel, track: AllocationTrack | undefined, what: "allocated" | "freed"): Track | undefined {
  if (track === undefined) return undefined;
  const places = [...track.stack, ...(track.caller === undefined ? [] : [track.caller])].flatMap(
    (address) => placeAt(kernel, address) ?? [],
  );
  const place = places.find((each) => !isTool(each)) ?? places[0];
  if (place === undefined) return undefined;
  const pid = track.pid === undefined ? "" : `, task ${track.pid}${track.comm === undefined ? "" : ` (${track.comm})`}`;
  const time = track.time === undefined ? "" : `, at ${track.time.toFixed(3)} s`;
  return {
    function: plainName(place.function),
    ...(place.module === undefined ? {} : { module: place.module }),
    text: `${what} by ${place.text}${pid}${time}`,
  };
}

function placeAt(kernel: Kernel, address: VirtualAddress) {
  // A return address behind a call that does not return belongs to the next function.
  const found = kernel.arch.isKernelAddress(address) ? kernel.symbols.byAddress((address - 1n) as VirtualAddress) : undefined;
  if (found === undefined) return undefined;
  const { name, module } = found.symbol;
  const text = `${name}+0x${(found.offset + 1).toString(16)}${module === undefined ? "" : ` [${module}]`}`;
  return { function: name, module, text };
}

/** The command that shows the tracks of an object. */
export function tracksCommand(object: bigint): string {
  return `kmem -s ${hex16(object)}`;
}
