/**
 * KASAN, all layouts (mm/kasan/report.c, report_generic.c; until 4.9 mm/kasan/report.c with SLUB's own object dump).
 *
 *   BUG: KASAN: <kind> in F+0x1/0x2 [at addr A]
 *   Read|Write of size N at addr A by task comm/pid  |  Free of addr A by task …
 *   located K bytes inside of|to the right of|to the left of [allocated |freed ]N-byte region [a, b)
 *   Memory state around the buggy address: five rows of shadow, ">" the guilty one, "^" below its byte
 */
import type { LogLine } from "../report.ts";
import { type FieldParser, type Fields, find, hex } from "./fields.ts";

export const kasanFields: FieldParser = (lines) => {
  const fields: Fields = {};
  const head = find(lines, /BUG: KAS[Aa][Nn]: ([\w/ -]+?) (?:in|on) (.*)$/);
  if (head !== undefined)
    fields.kind = (head[1] ?? "").trim().replace("use after free", "use-after-free").replace("out of bounds", "out-of-bounds"); // until 4.1
  const access =
    find(lines, /\b(Read|Write) of size (\d+) at addr ([0-9a-f]+|\(null\)) by task (.*)\/(\d+)/) ??
    find(lines, /\b(Read|Write) of size (\d+)(?: at addr ([0-9a-f]+))?/);
  const sizeless = access === undefined ? find(lines, /\b(Read|Write) at addr ([0-9a-f]+)(?: by task (.*)\/(\d+))?/) : undefined;
  const freed = find(lines, /\bFree of addr ([0-9a-f]+)(?: by task (.*)\/(\d+))?/);
  if (access !== undefined) {
    fields.access = (access[1] ?? "").toLowerCase();
    fields.size = Number(access[2]);
    if (access[3] !== undefined && access[3] !== "(null)") fields.faultAddress = hex(access[3]);
    if (access[4] !== undefined) Object.assign(fields, { comm: access[4], pid: Number(access[5]) });
  } else if (sizeless !== undefined) {
    fields.access = (sizeless[1] ?? "").toLowerCase();
    fields.faultAddress = hex(sizeless[2]);
    if (sizeless[3] !== undefined) Object.assign(fields, { comm: sizeless[3], pid: Number(sizeless[4]) });
  } else if (freed !== undefined) {
    fields.access = "free";
    fields.faultAddress = hex(freed[1]);
  }
  if (fields.faultAddress === undefined) {
    const address = find(lines, /at addr ([0-9a-f]{8,16})/);
    if (address !== undefined) fields.faultAddress = hex(address[1]);
  }
  if (/free/.test(String(fields.kind)) && !/use-after-free/.test(String(fields.kind))) fields.access = "free";
  const tags = find(lines, /Pointer tag: \[(\w\w)\], memory tag: \[(\w\w)\]/);
  if (tags !== undefined) Object.assign(fields, { pointerTag: tags[1] ?? "", memoryTag: tags[2] ?? "" });
  const cache =
    find(lines, /which belongs to the cache (\S+) of size (\d+)/) ??
    find(lines, /Object at \S+,? (?:in cache (\S+) size: (\d+)|belongs to cache (\S+) of size (\d+))/);
  if (cache !== undefined) Object.assign(fields, { cache: cache[1] ?? cache[3] ?? "", cacheSize: Number(cache[2] ?? cache[4]) });
  const old = cache === undefined ? find(lines, /^\s*BUG (\S+) \(.*\): kasan: bad access/) : undefined;
  if (old !== undefined) fields.cache = old[1] ?? "";
  const object = find(lines, /The buggy address belongs to the object at ([0-9a-f]+)/) ?? find(lines, /Object at ([0-9a-f]{8,16})/);
  if (object !== undefined) fields.object = hex(object[1]);
  const place = find(lines, /located (\d+) bytes (inside of|to the right of|to the left of)/);
  if (place !== undefined) Object.assign(fields, { distance: Number(place[1]), side: (place[2] ?? "").replace(/ of$/, "") });
  const region = find(lines, /(allocated |freed )?(\d+)-byte region \[([0-9a-f]+), ([0-9a-f]+)\)/);
  if (region !== undefined) {
    Object.assign(fields, { regionSize: Number(region[2]), object: hex(region[3]) });
    if (region[1] !== undefined) fields.objectState = region[1].trim();
  }
  const variable = find(lines, /belongs to the variable:?\s*(\S.*)?$/);
  if (variable !== undefined) {
    const next = lines[lines.findIndex(({ text }) => text === variable.input) + 1]?.text.trim();
    fields.variable = variable[1] ?? next ?? "";
  }
  const shadow = shadowRow(lines);
  if (shadow !== undefined) Object.assign(fields, shadow);
  return fields;
};

/** Meaning of a shadow byte of generic KASAN (mm/kasan/kasan.h). */
export function shadowMeaning(byte: number): string {
  if (byte === 0) return "accessible";
  if (byte < 8) return `only the first ${byte} of 8 bytes accessible`;
  const names: Readonly<Record<number, string>> = {
    255: "freed page",
    254: "redzone of a large kmalloc",
    252: "slab redzone",
    251: "freed slab object",
    250: "freed slab object (free stack kept)",
    249: "redzone of a global",
    248: "vmalloc memory not in use",
    241: "left redzone of the stack frame",
    242: "redzone between variables on the stack",
    243: "right redzone of the stack frame",
    244: "partial redzone of a variable on the stack",
    202: "left redzone of alloca",
    203: "right redzone of alloca",
  };
  return names[byte] ?? "unknown";
}

/** The shadow byte of the guilty address: the row marked ">" and the caret below. */
function shadowRow(lines: readonly LogLine[]): Fields | undefined {
  const at = lines.findIndex(({ text }) => /^>[0-9a-f]{8,16}: (?:\[?[0-9a-f]{2}\]?\s?)+/.test(text.trim()));
  const row = lines[at];
  if (row === undefined) return undefined;
  const text = row.text.trimStart();
  const bracketed = /\[([0-9a-f]{2})\]/.exec(text)?.[1];
  const caret = lines[at + 1]?.text.indexOf("^") ?? -1;
  const shift = row.text.length - text.length;
  const byte =
    bracketed ?? (caret < 0 ? undefined : /\b[0-9a-f]{2}\b/.exec(text.slice(Math.max(caret - shift - 1, 18), caret - shift + 3))?.[0]);
  if (byte === undefined) return { shadow: text };
  return { shadow: text, shadowByte: Number.parseInt(byte, 16), shadowMeaning: shadowMeaning(Number.parseInt(byte, 16)) };
}
