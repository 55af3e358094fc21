/** Stack overflows, panics, and single lines of subsystems that stand for a report. */

import { type FieldParser, type Fields, find, hex } from "./fields.ts";
import { oopsFields } from "./oops.ts";

export const stackFields: FieldParser = (lines, lead) => {
  const fields: Fields = { ...oopsFields(lines, lead) };
  const guard =
    find(lines, /BUG: (\S+) ?stack guard page was hit at ([0-9a-f]+) \(stack is ([0-9a-f]+)\.\.([0-9a-f]+)\)/) ??
    find(lines, /BUG: ()stack guard page was hit at ([0-9a-f]+) \(stack is ([0-9a-f]+)\.\.([0-9a-f]+)\)/);
  if (guard !== undefined)
    Object.assign(fields, { kind: "guard", faultAddress: hex(guard[2]), stackStart: hex(guard[3]), stackEnd: hex(guard[4]) });
  else if (find(lines, /PANIC: double fault/) !== undefined) fields.kind = "double-fault";
  else if (find(lines, /Insufficient stack space|kernel stack overflow/i) !== undefined) fields.kind = "overflow";
  else if (find(lines, /has bad/) !== undefined) fields.kind = "unwind";
  else fields.kind = "overran";
  return fields;
};

export const panicFields: FieldParser = (lines) => {
  const fields: Fields = {};
  const head = find(lines, /Kernel panic - not syncing(?:: | \[\d+\]: |, )?(.*)$/);
  if (head !== undefined) fields.text = (head[1] ?? "").trim();
  const protector = /Kernel stack is corrupted in:\s*(?:\[<[0-9a-f]+>\]\s*|[0-9a-f]{8,16}\s*$)?([A-Za-z_][\w.]*)?/.exec(
    String(fields.text ?? ""),
  );
  if (protector !== null) {
    fields.kind = "stack-protector";
    if (protector[1] !== undefined) fields.place = protector[1].replace(/\.(?:part|isra|constprop|cold).*$/, "");
  } else if (/corrupted stack end/.test(String(fields.text))) fields.kind = "stack-end";
  else if (/Attempted to kill init/.test(String(fields.text))) fields.kind = "init";
  else if (/sysrq triggered crash/.test(String(fields.text))) fields.kind = "sysrq";
  else if (/[Oo]ut of memory|System is deadlocked on memory/.test(String(fields.text))) fields.kind = "oom";
  else if (/[Mm]achine check/.test(String(fields.text))) fields.kind = "machine-check";
  else if (/VFS: Unable to mount root/.test(String(fields.text))) fields.kind = "root";
  else fields.kind = "panic";
  return fields;
};

export const otherFields: FieldParser = (lines, lead) => {
  const fields: Fields = {};
  const head = lines[0]?.text ?? "";
  const dentry = /BUG: Dentry .* still in use \(\d+\) \[(.*)\]/.exec(head);
  const rust = /rust_kernel: panicked at (\S+?):(\d+)/.exec(head);
  const usercopy = /usercopy: Kernel memory (exposure|overwrite) attempt/.exec(head);
  if (dentry !== null) Object.assign(fields, { kind: "dentry", text: dentry[1] ?? "" });
  else if (rust !== null)
    Object.assign(fields, { kind: "rust", file: rust[1] ?? "", line: Number(rust[2]), text: lines[1]?.text.trim() ?? "" });
  else if (usercopy !== null) Object.assign(fields, { kind: "usercopy", usercopy: usercopy[1] ?? "" });
  else if (/trusty: panic/.test(head))
    Object.assign(fields, { kind: "trusty", text: head.replace(/^.*?trusty: panic\S* ?(?:\(caller [^)]*\))?:? ?/, "") });
  else if (/unregister_netdevice/.test(head)) Object.assign(fields, { kind: "netdevice", text: /waiting for (\S+)/.exec(head)?.[1] ?? "" });
  else if (/VFS: /.test(head)) fields.kind = /Busy inodes/.test(head) ? "busy-inodes" : "file-count";
  else if (/ODEBUG/.test(head)) Object.assign(fields, { kind: "odebug", odebug: head.replace(/^.*?ODEBUG/, "ODEBUG") });
  const inner = oopsFields(lines, lead);
  return { ...inner, ...fields };
};
