/**
 * The door of this folder: finds out by content what the given files are, and opens them as one Dump.
 *
 *   path, path … → ByteSource → flattened? unwrap → ELF core | KDUMP (one or a split set) | LiME | AVML | raw image → Dump
 */
import type { ByteSource } from "../bytes/byte-source.ts";
import { FormatError } from "../bytes/errors.ts";
import { openFile } from "../bytes/file-source.ts";
import { readUpTo } from "../bytes/read-bytes.ts";
import type { Dump } from "./dump.ts";
import { openElfCore, probeElfCore } from "./elf-core.ts";
import { openFlattened, probeFlattened } from "./flattened.ts";
import { openKdump } from "./kdump.ts";
import { probeKdump } from "./kdump-header.ts";
import { requireSupported } from "./machine.ts";

const HEAD = 4096;

/** Opens a dump by content. */
export async function openDump(inputs: string | readonly (string | ByteSource)[]): Promise<Dump> {
  const given = typeof inputs === "string" ? [inputs] : inputs;
  const sources = given.map((input) => (typeof input === "string" ? openFile(input) : input));
  const outer = sources[0] as ByteSource;
  let source = outer;
  let truncated: string | undefined;
  let flattened = false;
  if (probeFlattened(readUpTo(source, 0, HEAD))) {
    const flat = openFlattened(source);
    source = flat;
    truncated = flat.truncated;
    flattened = true;
  }
  const head = readUpTo(source, 0, HEAD);
  let dump: Dump;
  if (probeKdump(head)) dump = openKdump([{ source, flattened, truncated }]);
  else if (probeElfCore(head)) dump = openElfCore(source, flattened ? { prefix: "flattened" } : {});
  else throw new FormatError(outer.name, "is not a dump");
  requireSupported(dump);
  return dump;
}
