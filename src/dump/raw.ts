/**
 * Raw images of RAM, as boot loaders, phones and some hypervisors write them: bytes and nothing else, so the user must say where each
 * file lies in physical memory.
 *
 *   ram0.bin@0x80000000,ram1.bin@100000000        file@address in hex, with or without 0x; several by comma or as several arguments
 */
import type { ByteSource } from "../bytes/byte-source.ts";
import { UsageError } from "../bytes/errors.ts";
import { IntervalMapBuilder } from "../bytes/interval-map.ts";
import type { Dump, HeaderFact } from "./dump.ts";
import { maxPfnOf, memoryRanges, PHYSICAL_LIMIT, readRangePage } from "./page-reader.ts";

/** One `file@address`. */
export interface RawPart {
  readonly file: string;
  readonly address: number;
}

/** Splits `file@address[,file@address…]`; undefined when the text is not of that form. Addresses beyond 2^52 are a UsageError. */
export function parseRawParts(text: string): RawPart[] | undefined {
  const parts: RawPart[] = [];
  // A comma counts only after an address, so that file names may contain commas.
  for (const piece of text.split(/(?<=@(?:0x)?[0-9a-fA-F]+),/)) {
    const match = /^(.+)@(?:0x)?([0-9a-fA-F]+)$/.exec(piece);
    if (match === null) return undefined;
    const address = Number.parseInt(match[2] as string, 16);
    if (address > PHYSICAL_LIMIT) throw new UsageError(`${piece}: no machine has physical memory at that address`);
    parts.push({ file: match[1] as string, address });
  }
  return parts;
}

/** Opens images at their addresses; where they overlap, the later one counts. */
export function openRaw(parts: readonly { readonly source: ByteSource; readonly address: number }[]): Dump {
  const joined = new JoinedSources(parts.map((part) => part.source));
  const builder = new IntervalMapBuilder();
  const warnings: string[] = [];
  parts.forEach(({ source, address }, index) => {
    if (address % 4096 !== 0) warnings.push(`${source.name}: the address ${address.toString(16)} is not a multiple of the page size`);
    builder.add(address, address + source.size, joined.starts[index] as number);
  });
  const map = builder.build();
  const files = parts.map((part) => part.source.name);
  const facts: HeaderFact[] = [
    ["format", "raw RAM image"],
    ...parts.map(({ source, address }) => [source.name, `${source.size} bytes at physical address 0x${address.toString(16)}`] as const),
  ];
  return {
    ...HEADERLESS,
    format: "raw RAM image",
    files,
    maxPfn: maxPfnOf(map, HEADERLESS.pageSize),
    readPage: (pfn, target) => readRangePage(joined, map, pfn * HEADERLESS.pageSize, target),
    ranges: memoryRanges(map),
    warnings,
    facts,
    close: () => joined.close(),
  };
}

/** What dumps without a header cannot tell. */
export const HEADERLESS = {
  machine: "unknown",
  littleEndian: true,
  pageSize: 4096,
  virtualRanges: [],
  notes: [],
  vmcoreinfo: undefined,
  utsname: undefined,
  timestamp: undefined,
  dumpLevel: undefined,
  physBase: undefined,
  partial: false,
  incomplete: false,
  eraseInfo: undefined,
  live: false,
} as const;

/** Several files one after another as one source, so that a place is one number. */
class JoinedSources implements ByteSource {
  readonly name: string;
  readonly size: number;
  readonly starts: readonly number[];
  readonly #sources: readonly ByteSource[];

  constructor(sources: readonly ByteSource[]) {
    const starts: number[] = [];
    let size = 0;
    for (const source of sources) {
      starts.push(size);
      size += source.size;
    }
    this.name = sources.map((source) => source.name).join(", ");
    this.size = size;
    this.starts = starts;
    this.#sources = sources;
  }

  readInto(target: Uint8Array, offset: number): number {
    let done = 0;
    for (let i = 0; i < this.#sources.length && done < target.length; i++) {
      const source = this.#sources[i] as ByteSource;
      const inside = offset + done - (this.starts[i] as number);
      if (inside < 0 || inside >= source.size) continue;
      const wanted = Math.min(target.length - done, source.size - inside);
      const count = source.readInto(target.subarray(done, done + wanted), inside);
      done += count;
      if (count < wanted) break;
    }
    return done;
  }

  close(): void {
    for (const source of this.#sources) source.close();
  }
}
