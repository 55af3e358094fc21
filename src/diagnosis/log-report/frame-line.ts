/**
 * One line of a call trace in the forms of every machine (printk's %pS and %pB: `func+0xoffset/0xsize [module buildid]`):
 *
 *    ? func+0x12/0x34 [mod 0123ab] fs/file.c:12        x86; "?": found on the stack, not confirmed by the unwinder
 *   [<ffffffff81000000>] func+0x12/0x34                before 4.10, and arm64, mips
 *   [c000…] [c000…] func+0x12/0x34 (unreliable)        ppc64
 *   (func) from [<c0…>] (caller+0x12/0x34)             arm, old;  func from caller+0x12/0x34  arm, newer
 *    func fs/file.c:12 [inline]                        symbolised
 *    func (fs/file.c:12)                               symbolised by scripts/decode_stacktrace.sh
 *
 * arch/{x86/kernel/dumpstack.c,arm64/kernel/stacktrace.c,arm/kernel/traps.c,powerpc/kernel/process.c}, lib/vsprintf.c.
 */

import { demangleRust } from "../../debug-info/rust-names.ts";
import type { VerdictFrame } from "../verdict.ts";

const NAME = String.raw`(?:<[^+\[\]]{1,300}>[\w$.:<>]*|[A-Za-z_.$][\w$.:<>]*)`;
const SYMBOL = String.raw`(${NAME})\+(?:0x)?([0-9a-f]+)\/(?:0x)?([0-9a-f]+)(?:\s+\[([\w-]+)(?:\s+[0-9a-f]+)?\])?`;
const FRAME = new RegExp(
  String.raw`^[\s|(]*(?:#\d+\s+)?(?:\(?\[(?:<?(?:(?:0x)?[0-9a-f]+|\(_*ptrval_*\))>?)?\]\s*)*(\?\s+)?\(?(?::[\w-]+:)?${SYMBOL}\)?((?:\s.*)?)$`,
);
const FROM = new RegExp(
  String.raw`^\s*(?:\[<[0-9a-f]+>\]\s*)?\(?(${NAME})(?:\+0x[0-9a-f]+\/0x[0-9a-f]+)?(?:\s+\[([\w-]+)\])?\)?\s+from\s+(?:\[<[0-9a-f]+>\]\s*)?\(?${SYMBOL}\)?`,
);
const INLINE = new RegExp(String.raw`^\s+(${NAME})\s+(\S+\.(?:c|h|S|rs|cc)):(\d+)\s+\[inline\]`);
const INLINED_BY = new RegExp(String.raw`^\s+\(inlined by\)\s+(${NAME}) at (\S+):(\d+)`);
/** decode_stacktrace.sh takes the offset away, and the blank before it: "func (file.c:12 (discriminator 3)) mod". */
const DECODED = new RegExp(String.raw`^\s*(\?\s+)?(${NAME}) \(((?:\.\/)?[\w./-]+\.(?:c|h|S|rs)):(\d+)\b.*\)(?: ([\w-]+))?\s*$`);
const PLACE = /\s(\S+\.(?:c|h|S|rs)):(\d+)/;
/** Until 4.8 the change of stack stood on the line of the first frame there. */
const STACK_MARK = /^\s*(?:<[<A-Z#/]{1,24}>+\s+)+/;
const SYMBOL_ANYWHERE = new RegExp(SYMBOL);

/** The frames a line tells: none, one, or two on arm ("a from b+…" where a is the inner one). */
export function frameLine(text: string): VerdictFrame[] {
  if (text.length > 2000) return [];
  const from = text.includes(" from ") ? FROM.exec(text) : null;
  if (from !== null) {
    const module = from[2];
    return [{ function: plainName(from[1] ?? ""), ...(module === undefined ? {} : { module }) }, symbolFrame(from, 3)];
  }
  const frame = FRAME.exec(text.replace(STACK_MARK, ""));
  if (frame !== null) {
    const rest = frame[6] ?? "";
    // `lock: class+0x1/0x2, at: …` and prose are no frames.
    if (/\bat:|[,;]\s|\bis\b/.test(rest)) return [];
    const place = PLACE.exec(rest);
    const doubtful = frame[1] !== undefined || rest.includes("(unreliable)");
    return [
      {
        ...symbolFrame(frame, 2),
        ...(place === null ? {} : { file: place[1] as string, line: Number(place[2]) }),
        ...(doubtful ? { doubtful: true as const } : {}),
      },
    ];
  }
  const decoded = text.includes(" (") ? DECODED.exec(text) : null;
  if (decoded !== null) {
    return [
      {
        function: plainName(decoded[2] ?? ""),
        file: decoded[3] as string,
        line: Number(decoded[4]),
        ...(decoded[5] === undefined ? {} : { module: decoded[5] }),
        ...(decoded[1] === undefined ? {} : { doubtful: true as const }),
      },
    ];
  }
  if (text.includes("inline")) {
    const inline = INLINE.exec(text) ?? INLINED_BY.exec(text);
    if (inline !== null)
      return [{ function: plainName(inline[1] ?? ""), file: inline[2] as string, line: Number(inline[3]), inlined: true }];
  }
  return [];
}

/** The first `func+0x1/0x2 [mod]` anywhere in a text, for lines that name a place in prose. */
export function symbolIn(text: string): VerdictFrame | undefined {
  const match = SYMBOL_ANYWHERE.exec(text);
  if (match === null) return undefined;
  const place = PLACE.exec(text.slice(match.index + match[0].length));
  return { ...symbolFrame(match, 1), ...(place === null ? {} : { file: place[1] as string, line: Number(place[2]) }) };
}

const DECODED_ANYWHERE = new RegExp(String.raw`(?:^|\s)(${NAME} \((?:\.\/)?[\w./-]+\.(?:c|h|S|rs):\d+\b.*)$`);

/** The same in the words of decode_stacktrace.sh: "… in func (file.c:12)". */
export function decodedIn(text: string): VerdictFrame | undefined {
  const match = DECODED_ANYWHERE.exec(text);
  return match === null ? undefined : frameLine(match[1] ?? "")[0];
}

function symbolFrame(match: RegExpExecArray, from: number): VerdictFrame {
  const module = match[from + 3];
  return {
    function: plainName(match[from] ?? ""),
    offset: Number.parseInt(match[from + 1] ?? "", 16),
    size: Number.parseInt(match[from + 2] ?? "", 16),
    ...(module === undefined ? {} : { module }),
  };
}

/** Without what compilers add to a copy or a part of a function: `f.isra.0.cold` is f. */
export function plainName(name: string): string {
  if (name.startsWith(".") && name.length > 1) return plainName(name.slice(1)); // ppc64: the function's code against its descriptor
  if (name.startsWith("_R")) return demangleRust(name) ?? name;
  const dot = name.search(/\.(?:part|isra|constprop|cold|llvm|lto_priv|localalias|cfi_jt|cfi|__uniq|const|unlikely)(?:\.|$)/);
  return dot > 0 ? name.slice(0, dot) : name;
}
