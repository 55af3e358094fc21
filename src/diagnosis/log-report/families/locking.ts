/** Lockdep (kernel/locking/lockdep.c), spinlock debugging, wrong context (kernel/sched/core.c, lib/smp_processor_id.c). */
import { plainName, symbolIn } from "../frame-line.ts";
import { type FieldParser, type Fields, find } from "./fields.ts";

const KINDS: readonly (readonly [RegExp, string])[] = [
  [/possible circular locking/, "circular"],
  [/possible recursive locking/, "recursive"],
  [/possible irq lock inversion/, "irq-inversion"],
  [/-safe -> \S+-unsafe lock order/, "irq-unsafe-order"],
  [/inconsistent lock state/, "inconsistent-state"],
  [/suspicious RCU usage/, "rcu-usage"],
  [/bad unlock balance/, "unlock-balance"],
  [/bad contention/, "contention"],
  [/held lock freed/, "freed-lock"],
  [/still has locks held/, "locks-held"],
  [/lock held (?:when returning|at task exit)/, "lock-held-at-exit"],
  [/Nested lock was not taken/, "nested-lock"],
  [/Invalid wait context/, "wait-context"],
  [/non-static key/, "unregistered-key"],
  [/workqueue leaked/, "workqueue-leak"],
  [/MAX_LOCK|BUG: key/, "limit"],
  [/(?:spinlock|rwlock|rwsem|mutex)\b.* on CPU/, "spinlock"],
];

export const lockdepFields: FieldParser = (lines) => {
  const fields: Fields = {};
  const head = lines[0]?.text ?? "";
  fields.kind = KINDS.find(([pattern]) => pattern.test(head))?.[1] ?? "other";
  // kernel/workqueue.c process_one_work: "     last function: widget_work [widget]".
  const work = fields.kind === "workqueue-leak" ? find(lines, /last function: (?:\[<[0-9a-f]+>\] )?([A-Za-z_][\w.]*)/)?.[1] : undefined;
  if (work !== undefined) fields.place = plainName(work);
  const spin = /BUG: ((?:spinlock|rwlock|rwsem|mutex)[\w -]*?) on CPU#/.exec(head);
  if (spin !== null) fields.spin = spin[1] ?? "";
  // Where the lock is taken, freed or released: "… is trying to acquire lock:" and two lines of "at: [<…>] func+0x…".
  const at = lines.findIndex(({ text }) =>
    /is trying to (?:acquire|release|contend|lock)|is freeing memory|just changed the state of lock|takes:|is exiting/.test(text),
  );
  if (at >= 0) {
    for (const { text } of lines.slice(at, at + 5)) {
      const place = /\bat:/.test(text) ? symbolIn(text) : undefined;
      if (place?.function === undefined) continue;
      fields.place = plainName(place.function);
      break;
    }
    const next = lines.slice(at, at + 4).find(({ text }) => /\bat:\s*$/.test(text));
    const after = next === undefined ? undefined : lines[lines.indexOf(next) + 1]?.text;
    const symbol = fields.place === undefined && after !== undefined ? symbolIn(after) : undefined;
    if (symbol?.function !== undefined) fields.place = symbol.function;
    const lock =
      /\(([^()]+(?:\([^)]*\))?)\)\s*\{/.exec(
        lines
          .slice(at, at + 3)
          .map(({ text }) => text)
          .join(" "),
      )?.[1] ?? /lock \((.+?)\) at/.exec(lines[at]?.text ?? "")?.[1];
    if (lock !== undefined) fields.lock = lock;
  }
  if (fields.place === undefined || fields.kind === "locks-held" || fields.kind === "lock-held-at-exit") {
    // The place where the lock that is still held was taken.
    const taken = fields.kind === "locks-held" || fields.kind === "lock-held-at-exit" ? find(lines, /^\s*#0: .* at: (.*)$/) : undefined;
    const symbol = taken === undefined ? undefined : symbolIn(taken[1] ?? "");
    if (symbol?.function !== undefined) fields.place = symbol.function;
  }
  const held = /but task is already holding lock/;
  const heldAt = lines.findIndex(({ text }) => held.test(text));
  const heldLock = heldAt < 0 ? undefined : /\(([^()]+(?:\([^)]*\))?)\)\s*\{/.exec(lines[heldAt + 1]?.text ?? "")?.[1];
  if (heldLock !== undefined) fields.held = heldLock;
  const heldPlace = heldAt < 0 ? undefined : symbolIn(/\bat: (.*)$/.exec(lines[heldAt + 1]?.text ?? "")?.[1] ?? "");
  if (heldPlace?.function !== undefined) fields.heldPlace = heldPlace.function;
  const place = /^(\S+):(\d+) suspicious/.exec(find(lines, /^\S+:\d+ suspicious rcu_dereference/)?.input ?? "");
  if (place !== null) Object.assign(fields, { file: place[1] ?? "", line: Number(place[2]) });
  const who = find(
    lines,
    /^(?:(?:\[ )?(?:WARNING|BUG): )?(.+)\/(\d+) (?:is trying to|is freeing|just changed|is leaving|is exiting|still has)/,
  );
  if (who !== undefined) Object.assign(fields, { comm: who[1] ?? "", pid: Number(who[2]) });
  return fields;
};

export const contextFields: FieldParser = (lines) => {
  const fields: Fields = {};
  const atomic = find(lines, /scheduling while atomic: (.*)\/(\d+)\/(?:0x)?([0-9a-f]+)/);
  if (atomic !== undefined)
    Object.assign(fields, {
      kind: "scheduling",
      comm: atomic[1] ?? "",
      pid: Number(atomic[2]),
      preemptCount: Number.parseInt(atomic[3] ?? "0", 16),
    });
  const sleeping = find(lines, /sleeping function called from invalid context at (\S+?):(\d+)/);
  if (sleeping !== undefined) Object.assign(fields, { kind: "sleeping", file: sleeping[1] ?? "", line: Number(sleeping[2]) });
  const using = find(lines, /using (\S+) in preemptible \[[0-9a-f]+\] code: (.*)\/(\d+)/) ?? find(lines, /using (\S+) in preemptible/);
  if (using !== undefined) {
    Object.assign(fields, { kind: "preemptible", using: using[1] ?? "" });
    if (using[2] !== undefined) Object.assign(fields, { comm: using[2], pid: Number(using[3]) });
  }
  const caller = find(lines, /^caller is (\S.*)$/);
  if (caller !== undefined) fields.caller = plainName((caller[1] ?? "").replace(/^\[<[0-9a-f]+>\]\s*/, "").replace(/\+0x.*$/, ""));
  return fields;
};
