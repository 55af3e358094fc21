/** The value reader of a session: kernel symbols behind pointers, the limits that `set` holds. */
import type { Memory } from "../../kernel/address-space.ts";
import type { Session } from "../command.ts";
import { ValueReader } from "./read-value.ts";
import { symbolLabeller } from "./symbol-label.ts";
import type { FormatLetter } from "./value-format.ts";

export function valueReader({ kernel, settings }: Session, memory: Memory = kernel.memory, format?: FormatLetter): ValueReader {
  return new ValueReader({
    memory,
    label: symbolLabeller(kernel),
    printMax: settings.printMax,
    nullStop: settings.nullStop,
    ...(format === undefined ? {} : { format }),
  });
}
