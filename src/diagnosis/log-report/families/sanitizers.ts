/** KMSAN (mm/kmsan/report.c), KCSAN (kernel/kcsan/report.c), KFENCE (mm/kfence/report.c), UBSAN (lib/ubsan.c). */
import { type FieldParser, type Fields, find, hex } from "./fields.ts";

export const kmsanFields: FieldParser = (lines) => {
  const fields: Fields = {};
  const head = find(lines, /BUG: KMSAN: ([\w-]+) in (\S+)/);
  if (head !== undefined) fields.kind = head[1] ?? "";
  const bytes = find(lines, /Bytes? (\d+)(?:-(\d+))? of (\d+) (?:are|is) uninitialized/);
  if (bytes !== undefined) Object.assign(fields, { from: Number(bytes[1]), to: Number(bytes[2] ?? bytes[1]), size: Number(bytes[3]) });
  const local = find(lines, /Local variable (?:----)?(\w+)(?:@\w+)? created at/);
  if (local !== undefined) fields.variable = local[1] ?? "";
  return fields;
};

export const kcsanFields: FieldParser = (lines) => {
  const fields: Fields = {};
  const head = find(lines, /BUG: KCSAN: ([\w: -]+?) in (\S+)(?: \/ (\S+))?/);
  if (head !== undefined) {
    fields.kind = head[1] ?? "";
    fields.first = plain(head[2]);
    if (head[3] !== undefined) fields.second = plain(head[3]);
  }
  const access =
    find(lines, /\b((?:read-)?write|read)(?: \(marked\))? to 0x([0-9a-f]+) of (\d+) bytes/) ??
    find(lines, /\b(write|read)\S* .*?to 0x([0-9a-f]+) of (\d+) bytes/);
  if (access !== undefined)
    Object.assign(fields, { access: (access[1] ?? "").replace("read-", ""), faultAddress: hex(access[2]), size: Number(access[3]) });
  const value = find(lines, /value changed: (\S+ -> \S+)/);
  if (value !== undefined) fields.value = value[1] ?? "";
  return fields;
};

export const kfenceFields: FieldParser = (lines) => {
  const fields: Fields = {};
  const head = find(lines, /BUG: KFENCE: (.*?) in \S/);
  const kind = (head?.[1] ?? "").trim();
  const access = /^(.*?) (read|write)$/.exec(kind);
  fields.kind = access?.[1] ?? kind;
  if (access !== null) fields.access = access[2] ?? "";
  if (/free$/.test(kind) && kind !== "use-after-free") fields.access = "free";
  const place = find(
    lines,
    /(?:read|write|free|memory|access) (?:at|of) 0x([0-9a-f]+)(?: \((\d+)B (right|left) of (kfence-\S+)\)| \(in (kfence-\S+)\))?/,
  );
  if (place !== undefined) {
    fields.faultAddress = hex(place[1]);
    if (place[2] !== undefined) Object.assign(fields, { distance: Number(place[2]), side: place[3] ?? "" });
  }
  const object = find(lines, /(kfence-\S+?):? \[?0x([0-9a-f]+)-0x([0-9a-f]+), size=(\d+), cache=([^\s\]]+)/);
  if (object !== undefined) Object.assign(fields, { object: hex(object[2]), regionSize: Number(object[4]), cache: object[5] ?? "" });
  return fields;
};

export const ubsanFields: FieldParser = (lines) => {
  const fields: Fields = {};
  const head = find(lines, /UBSAN: (.*?) in (\S+?):(\d+)(?::(\d+))?\s*$/);
  if (head !== undefined) {
    fields.kind = (head[1] ?? "").trim();
    fields.file = head[2] ?? "";
    fields.line = Number(head[3]);
    const at = lines.findIndex(({ text }) => text.includes("UBSAN: "));
    const detail = lines[at + 1]?.text.trim();
    if (detail !== undefined && detail !== "" && !detail.startsWith("CPU:")) fields.detail = detail;
  }
  const next = lines
    .slice(0, 4)
    .find(({ text }) =>
      /signed integer overflow|shift exponent|index .* is out of range|load of value|division by zero|null pointer|misaligned/.test(text),
    );
  if (next !== undefined) fields.detail ??= next.text.trim();
  return fields;
};

function plain(name: string | undefined): string {
  return (name ?? "").replace(/\+0x.*$/, "").replace(/\.(?:part|isra|constprop|cold|llvm).*$/, "");
}
