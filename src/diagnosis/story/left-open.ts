/** What the dump does not tell, and what would: said of a verdict only where that is known to be so. */
import type { Kernel } from "../../kernel/kernel.ts";
import { letters } from "../fault/content-run.ts";
import type { FaultCase } from "../fault/fault-case.ts";
import { perCpuCopy } from "../fault/per-cpu-pointer.ts";
import { readOnlyAccess } from "../fault/read-only-access.ts";
import { sourceOf } from "../fault/source-of.ts";
import { userMemory } from "../fault/user-memory.ts";
import type { Finding } from "../finding.ts";
import type { Confidence, Verdict, VerdictClass } from "../verdict.ts";

/** Why it is not surer. */
export function doubts({ checks, baseRate, rarity }: Finding, confidence: Confidence): readonly string[] {
  if (confidence === "high") return [];
  const open = checks.filter(({ result }) => result === "not possible").map(({ what }) => what);
  const common =
    rarity === true && baseRate !== undefined && baseRate.fired > 0 ? [`${baseRate.what}: ${baseRate.fired} of ${baseRate.tried}`] : [];
  const why = [
    ...(open.length === 0 ? [] : [`could not be checked: ${open.join("; ")}`]),
    ...(common.length === 0 ? [] : [`common here: ${common.join("; ")}`]),
  ];
  return why.length === 0 ? [] : [`Why only ${confidence}: ${why.join("; ")}.`];
}

/** Somebody had the object before: who, only tracks would tell. */
const OWNED: ReadonlySet<VerdictClass> = new Set(["use-after-free", "double-free", "bad-free"]);
/** Somebody wrote where nothing was his. */
const WRITTEN: ReadonlySet<VerdictClass> = new Set(["overwritten-pointer", "freelist-corruption", "slab-redzone"]);
const CIRCLES: ReadonlySet<VerdictClass> = new Set(["deadlock", "self-deadlock"]);

/** @param untracked the object's cache keeps no tracks */
export function leftOpen(kernel: Kernel, verdict: Verdict, fault: FaultCase | undefined, untracked: boolean): readonly string[] {
  const name = verdict.class;
  if (OWNED.has(name) && untracked)
    return [
      `Not known: who ${name === "bad-free" ? "allocated what holds it" : "gave it back first"}. Nobody noted it; slub_debug=U on the kernel's command line, or KASAN, would.`,
    ];
  if (WRITTEN.has(name) && untracked) return ["Not known: which code wrote there. KASAN, or KFENCE, stops the writer in the act."];
  if (name === "null-pointer-dereference" && fault !== undefined) return nullOpen(fault);
  if (name === "wild-pointer" && fault !== undefined && isUnexplained(fault))
    return ["Not known: what wrote that value. Neither poison, text, an error code nor a pointer with one wrong bit explains it."];
  if (name === "list-corruption" && fault?.access.kind !== "memory")
    return ["Not known: who linked or unlinked the entry before. A list keeps no history."];
  if (name === "refcount-underflow" || name === "refcount-overflow")
    return ["Not known: which of the users got or dropped one too many. The count keeps no history."];
  if (CIRCLES.has(name) && kernel.tryAddress("lock_classes") === undefined && kernel.symbols.byName("panic") !== undefined)
    return [
      "Lockdep (CONFIG_PROVE_LOCKING) is not in this kernel: it reports such an order the first time it is met, before anything hangs.",
    ];
  return [];
}

/** A pointer to the task's own user memory, and one that code or the linker fixed, were written by nobody; others the verdict has told. */
function isUnexplained(fault: FaultCase): boolean {
  const { access, bad, kernel } = fault;
  if (access.kind === "memory" && userMemory(fault, access.address) !== undefined) return false;
  const value = bad?.value ?? 0n;
  if (readOnlyAccess(fault) !== undefined || perCpuCopy(kernel, value) !== undefined || letters(value) !== undefined) return false;
  return bad?.origin?.end !== "constant";
}

function nullOpen(fault: FaultCase): readonly string[] {
  const source = sourceOf(fault);
  const end = fault.bad?.origin?.end;
  if (end === "constant" || fault.bad?.register === undefined) return [];
  if (source?.address !== undefined && source.comparison === "changed")
    return ["The place holds something else by now: whoever fills it was late, or another CPU was at it."];
  if (source?.address !== undefined) return ["Not known: whether it was never set, or was cleared before."];
  return [];
}
