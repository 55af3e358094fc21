/**
 * Lists of CPUs as crash users write them: `-c 0,2-3`, `-c a`, and the `:cpu` suffix of per-CPU symbols (`runqueues:0,2`, `:a`, `:`).
 */
import { UsageError } from "../../bytes/errors.ts";

/**
 * CPU numbers of "0", "1,3", "0-2,5", "a", "all" or "" (all), in the order given and without repeats.
 * @param possible CPU numbers that exist, ascending
 * @throws UsageError for a malformed list or a CPU that does not exist
 */
export function parseCpuList(text: string, possible: readonly number[]): number[] {
  const list = text.trim();
  if (list === "" || list === "a" || list === "all") return [...possible];
  const chosen = new Set<number>();
  const exists = new Set(possible);
  for (const part of list.split(",")) {
    const range = /^(\d{1,6})(?:-(\d{1,6}))?$/.exec(part.trim());
    if (range === null) throw new UsageError(`"${text}" is no list of CPUs; examples: 0   1,3   0-2,5   a`);
    const first = Number(range[1]);
    const last = range[2] === undefined ? first : Number(range[2]);
    if (last < first) throw new UsageError(`"${part}" is no range of CPUs: ${last} is below ${first}`);
    if (range[2] === undefined && !exists.has(first)) throw new UsageError(`CPU ${first} does not exist (${describe(possible)})`);
    const before = chosen.size;
    for (const cpu of possible) if (cpu >= first && cpu <= last) chosen.add(cpu);
    if (range[2] !== undefined && !exists.has(last) && chosen.size === before) {
      throw new UsageError(`no CPU of ${part} exists (${describe(possible)})`);
    }
  }
  return [...chosen];
}

/**
 * Splits "runqueues:0,2" into the name and the list after the last colon; `cpus` is undefined without a colon and "" for a bare one.
 * A colon pair ("::") or a suffix that is no list belongs to the name.
 */
export function splitCpuSuffix(text: string): { readonly name: string; readonly cpus: string | undefined } {
  const found = /^(.*[^:]):(a|all|[\d,-]*)$/.exec(text);
  return found === null ? { name: text, cpus: undefined } : { name: found[1] as string, cpus: found[2] as string };
}

function describe(possible: readonly number[]): string {
  const first = possible[0];
  if (first === undefined) return "the dump knows no CPU";
  return possible.length === 1 ? `only CPU ${first} does` : `CPUs ${first}-${possible.at(-1)} do`;
}
