/**
 * Calls and jumps through a bad pointer: to NULL (an operation that was never set), or to where no code is. Row 4 of the catalogue.
 */
import { hex16, virtual } from "../../../bytes/address.ts";
import { briefText, regionText } from "../../../identity/describe.ts";
import type { Kernel } from "../../../kernel/kernel.ts";
import type { Finding } from "../../finding.ts";
import type { Check, VerdictClass } from "../../verdict.ts";
import { clearedBeforeCall } from "../cleared-before-call.ts";
import type { FaultCase } from "../fault-case.ts";
import { type FaultDetector, has } from "../fault-detector.ts";
import { siblingRate, siblingWords } from "../samples.ts";
import { sourceOf } from "../source-of.ts";
import { faultEvidence, functionText, isInFirstPage, pointerName, sourceEvidence, sourceObject, stateChecks } from "../words.ts";
import { isErrorPointer } from "./error-pointer.ts";

export const nullCall: FaultDetector = {
  class: "null-function-call",
  needs: ["fetch", "bad value"],
  refutedBy: [
    "the call's target register does not hold the address that was fetched from",
    "the stack was overwritten: no call leads there",
  ],
  detect: (fault) =>
    fault.bad !== undefined && isInFirstPage(fault.kernel, fault.bad.value) ? called(fault, "null-function-call", "NULL") : undefined,
};

export const wildCall: FaultDetector = {
  class: "wild-call",
  needs: ["fetch", "bad value"],
  refutedBy: ["the target is code that the dump has", "the target is NULL or an error code"],
  detect(fault) {
    const { bad, kernel } = fault;
    if (bad === undefined || isInFirstPage(kernel, bad.value) || isErrorPointer(bad.value)) return undefined;
    const where = briefText(bad.identity) ?? (bad.identity.region === "user" ? regionText(bad.identity) : undefined);
    const found = called(fault, "wild-call", `${hex16(bad.value)}${where === undefined ? "" : `, ${where}`}`);
    if (found === undefined) return undefined;
    const symbol = bad.identity.roles.find(({ kind }) => kind === "symbol");
    const isText = symbol?.kind === "symbol" && /text/.test(symbol.section ?? "") && kernel.arch.isKernelAddress(bad.value);
    const check: Check = isText
      ? { what: `the target is code: ${kernel.symbolize(bad.identity.address) ?? ""}`, result: "refuted" }
      : { what: `the target is no code: ${briefText(bad.identity) ?? bad.identity.region}`, result: "held" };
    const unloaded = bad.identity.region === "modules" && !isText ? lastUnloaded(kernel) : undefined;
    return {
      ...found,
      checks: [...found.checks, check],
      rarity: true,
      story: [
        ...found.story,
        ...(unloaded === undefined
          ? []
          : [`No module lies there now; the last one that was unloaded is ${unloaded}: the pointer may have outlived it.`]),
      ],
    };
  },
};

/** last_unloaded_module: an array of characters until 5.19, since 6.0 a structure that begins with one (kernel/module/tracking.c, main.c). */
function lastUnloaded(kernel: Kernel): string | undefined {
  const at = kernel.tryAddress("last_unloaded_module");
  const name = at === undefined ? undefined : kernel.memory.tryBytes(at, 56);
  if (name === undefined) return undefined;
  const text = String.fromCharCode(...name.subarray(0, Math.max(0, name.indexOf(0))));
  return /^[\w-]+$/.test(text) ? text : undefined;
}

function called(fault: FaultCase, as: VerdictClass, target: string): Finding | undefined {
  const { access, bad, kernel, guilty } = fault;
  if (!has(fault, ["fetch"]) || access.kind !== "fetch" || bad === undefined || access.returned === true) return undefined;
  const checks: Check[] = stateChecks(fault);
  if (access.call === undefined) checks.push({ what: "the call that led there is known", result: "not possible" });
  const source = sourceOf(fault);
  const name = pointerName(fault);
  const object = sourceObject(fault);
  const what = name === bad.register || name === "a pointer" ? "a function pointer" : name;
  return {
    class: as,
    title: `${functionText(guilty)} calls ${what}, which is ${target}`,
    checks,
    baseRate: siblingRate(kernel, source?.address, 8, `${name} is as bad in other objects of the slab`, (word) => word === bad.value),
    ...(object === undefined ? {} : { object }),
    story: [
      ...(access.call === undefined ? ["No call instruction leads there: a return to an overwritten address is as likely."] : []),
      ...clearedBeforeCall(fault),
      ...(as === "null-function-call" && source?.address !== undefined ? siblingStory(kernel, source.address, name) : []),
    ],
    evidence: [...faultEvidence(fault), ...sourceEvidence(fault)],
  };
}

/** Siblings that must agree before they say what the pointer should have been. */
const MIN_SIBLINGS = 3;

/** What the other objects of the slab hold at the same place: whether such a pointer is ever NULL. */
function siblingStory(kernel: Kernel, address: bigint, name: string): string[] {
  const words = siblingWords(kernel, address, 8);
  const code = words.flatMap((word) => {
    const symbol = kernel.arch.isKernelAddress(word) ? kernel.symbols.byAddress(virtual(word)) : undefined;
    return symbol?.offset === 0 && /[tTwW]/.test(symbol.symbol.type) ? [symbol.symbol.name] : [];
  });
  const [first] = code;
  const same = code.filter((each) => each === first).length;
  if (first === undefined || same < MIN_SIBLINGS || same * 2 < words.length) return [];
  return [
    `Of ${words.length} other objects of the slab ${same} hold ${first} in ${name.replace(/^struct /, "")}: it was set there too, and cleared, or never filled in.`,
  ];
}
