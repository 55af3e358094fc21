/**
 * The door of this folder: finds out by content what the given files are, and opens them as one Dump.
 *
 *   path, path … ─► ByteSource ─► flattened? unwrap ─► ELF core | KDUMP, one or a split set | LiME | AVML
 *   file@address ─► ByteSource ─► raw image                                  /proc/kcore
 */
import type { ByteSource } from "../bytes/byte-source.ts";
import { FormatError, UsageError } from "../bytes/errors.ts";
import { fileExists, openFile } from "../bytes/file-source.ts";
import { ReadAhead } from "../bytes/read-ahead.ts";
import { readUpTo } from "../bytes/read-bytes.ts";
import { prepareZstd } from "../bytes/zstd.ts";
import { openAvml, probeAvml } from "./avml.ts";
import type { Dump } from "./dump.ts";
import { openElfCore, probeElfCore } from "./elf-core.ts";
import { openFlattened, probeFlattened } from "./flattened.ts";
import { isKcorePath, openKcore } from "./kcore.ts";
import { type KdumpInput, openKdump } from "./kdump.ts";
import { probeKdump } from "./kdump-header.ts";
import { openLime, probeLime } from "./lime.ts";
import { requireSupported } from "./machine.ts";
import { openRaw, parseRawParts, type RawPart } from "./raw.ts";
import { explainWrongFile } from "./wrong-file.ts";

/** Bytes that the probes look at: the last signature that is not at the start lies below 4 KiB. */
const HEAD = 4096;

/** A file name, `file@address[,file@address…]` for raw images, or an opened source (a browser's file, bytes in memory). */
export type DumpInput = string | ByteSource;

/**
 * Opens a dump: one file, the members of a split dump in any order, or raw images with their addresses.
 * Throws FormatError or UnsupportedError with one line that says what the file is instead; everything opened is closed then.
 */
export async function openDump(inputs: DumpInput | readonly DumpInput[]): Promise<Dump> {
  const given: readonly DumpInput[] = Array.isArray(inputs) ? inputs : [inputs as DumpInput];
  if (given.length === 0) throw new UsageError("no dump file given");
  const opened: ByteSource[] = [];
  const open = (input: DumpInput): ByteSource => {
    const source = typeof input === "string" ? ahead(openFile(input)) : input;
    opened.push(source);
    return source;
  };
  try {
    const parts = rawParts(given);
    const dump =
      parts === undefined ? openByContent(given.map(open)) : openRaw(parts.map(({ file, address }) => ({ source: open(file), address })));
    requireSupported(dump);
    if ("usesZstd" in dump && dump.usesZstd) await prepareZstd();
    return dump;
  } catch (error) {
    for (const source of opened) source.close();
    throw error;
  }
}

/** Live memory must be read when it is asked for. */
function ahead(source: ByteSource): ByteSource {
  return isKcorePath(source.name) ? source : new ReadAhead(source);
}

/** All inputs as raw images, or undefined when none is one. */
function rawParts(inputs: readonly DumpInput[]): RawPart[] | undefined {
  const parsed = inputs.map((input) =>
    typeof input === "string" && input.includes("@") && !fileExists(input) ? parseRawParts(input) : undefined,
  );
  if (parsed.every((parts) => parts === undefined)) return undefined;
  return parsed.flatMap((parts, index) => {
    if (parts === undefined)
      throw new UsageError(`${inputs[index]}: raw images and other files cannot be mixed; give each as FILE@ADDRESS`);
    return parts;
  });
}

function openByContent(sources: readonly ByteSource[]): Dump {
  const inputs = sources.map(unwrap);
  const heads = inputs.map(({ source }) => readUpTo(source, 0, HEAD));
  if (heads.every(probeKdump)) return openKdump(inputs);
  const [first] = inputs as [KdumpInput];
  const [head] = heads as [Uint8Array];
  if (inputs.length > 1) {
    const stranger = heads.findIndex((each) => !isDump(each));
    if (stranger >= 0) throw explainWrongFile((inputs[stranger] as KdumpInput).source.name, heads[stranger] as Uint8Array);
    const other = heads.findIndex((each) => !probeKdump(each));
    throw new FormatError(
      (inputs[other] as KdumpInput).source.name,
      "several files can only be the parts of one split KDUMP dump; this is a dump of another format, give it alone",
    );
  }
  const { source, flattened, truncated } = first;
  if (isKcorePath(source.name) && probeElfCore(head)) return openKcore(source);
  if (probeElfCore(head)) return openElfCore(source, flattened ? { prefix: "flattened", truncated } : {});
  if (probeLime(head)) return openLime(source);
  if (probeAvml(head)) return openAvml(source);
  throw explainWrongFile(source.name, head);
}

function isDump(head: Uint8Array): boolean {
  return probeElfCore(head) || probeLime(head) || probeAvml(head) || probeKdump(head);
}

/** The source itself, or the real dump inside a flattened stream. */
function unwrap(source: ByteSource): KdumpInput {
  if (!probeFlattened(readUpTo(source, 0, HEAD))) return { source, flattened: false };
  const flat = openFlattened(source);
  return { source: flat, flattened: true, truncated: flat.truncated };
}
