/**
 * A list whose links do not agree: found by the kernel's own checks (the log tells the nodes), or by following the poison that list_del()
 * leaves in an entry (include/linux/poison.h: LIST_POISON1 in next, LIST_POISON2 in prev). Row 9 of the catalogue.
 */

import { hex16, virtual } from "../../../bytes/address.ts";
import { type CType, strip } from "../../../debug-info/c-type.ts";
import { stateText } from "../../../identity/describe.ts";
import { poisonOf } from "../../../linux/poison.ts";
import { membersAt, pathsOf } from "../../../type-flow/member-path.ts";
import type { Finding } from "../../finding.ts";
import type { Check } from "../../verdict.ts";
import type { FaultCase } from "../fault-case.ts";
import type { FaultDetector } from "../fault-detector.ts";
import { checkRing, type ListReport, linkAddress, listReport, readLink } from "../list-report.ts";
import { pointedTo } from "../origin-step.ts";
import { type Placed, placeOf } from "../placed.ts";
import { slabRole } from "../samples.ts";
import { sourceOf } from "../source-of.ts";
import { tryIdentify } from "../try-identify.ts";
import { unlinkedBy } from "../unlinkers.ts";
import {
  accessPhrase,
  faultEvidence,
  functionText,
  pointerName,
  sourceEvidence,
  sourceObject,
  stateChecks,
  untypedPlace,
} from "../words.ts";

export const listCorruption: FaultDetector = {
  class: "list-corruption",
  needs: [],
  refutedBy: [
    "the links agree in the dump, and nothing shows that they were changed since",
    "the whole object was freed: then the list is only where it showed",
    "the list was being changed on another CPU",
  ],
  detect(fault: FaultCase): Finding | undefined {
    const { subject, bad, kernel } = fault;
    const report =
      subject.event?.kind === "list" ? listReport(subject.event.text, (node, link) => readLink(kernel, node, link)) : undefined;
    if (report !== undefined) return reported(fault, report);
    const seen = reportOfCheck(fault);
    if (seen !== undefined) return reported(fault, seen);
    const poison = bad === undefined ? undefined : poisonOf(bad.value);
    return poison?.name.startsWith("LIST_POISON") === true ? followed(fault, poison.name) : undefined;
  },
};

function reported(fault: FaultCase, report: ListReport): Finding {
  const { kernel } = fault;
  const { node, link, was, expected, entry, operation } = report;
  const now = readLink(kernel, node, link);
  const checks: Check[] = [
    {
      what: `${hex16(node)}->${link} holds ${now === undefined ? "?" : hex16(now)} in the dump${report.what === "double add" ? ": the entry is there already" : `, not ${expected === undefined ? "a neighbour" : hex16(expected)}`}`,
      result: now === undefined ? "not possible" : now === was ? "held" : "refuted",
    },
  ];
  if (entry !== undefined && report.what === "neighbour") {
    const other = link === "prev" ? "next" : "prev";
    const points = readLink(kernel, entry, other);
    checks.push({
      what: `the entry ${hex16(entry)} still points at ${hex16(node)}`,
      result: points === undefined ? "not possible" : points === node ? "held" : "not possible",
    });
  }
  // The ring is sound elsewhere: one place was damaged, not the reading of it.
  const ring = checkRing(kernel, entry ?? node);
  const subjectNode = report.what === "double add" && entry !== undefined ? entry : node;
  const damaged = namedByCode(fault, report, subjectNode) ?? placeOf(kernel, subjectNode, isListHead);
  const writer = was === undefined ? undefined : tryIdentify(kernel, was);
  const wrote = writer === undefined ? undefined : placedText(placeOf(kernel, was ?? 0n), was ?? 0n);
  const member = damaged?.member === undefined ? undefined : report.what === "double add" ? damaged.member : `${damaged.member}.${link}`;
  const object = {
    ...(damaged?.type === undefined ? {} : { type: damaged.type }),
    ...(member === undefined ? {} : { member }),
    address: damaged?.object ?? node,
    ...(damaged === undefined || damaged.state === "" ? {} : { state: damaged.state }),
    ...(damaged === undefined || damaged.cache === "" ? {} : { cache: damaged.cache }),
  };
  const where =
    damaged?.type !== undefined
      ? `${damaged.type}.${member ?? "?"}`
      : damaged === undefined || damaged.cache === ""
        ? `${link} of the node at ${hex16(node)}`
        : `${link} of the node at offset 0x${(subjectNode - damaged.object).toString(16)} of an object of ${damaged.cache} (${damaged.state})`;
  return {
    class: "list-corruption",
    depth: "mechanism",
    title:
      report.what === "poison"
        ? `${functionText(fault.guilty)} takes an entry off its list a second time: ${where} is ${was === undefined ? "poison" : (poisonOf(was)?.name ?? hex16(was))}`
        : report.what === "double add"
          ? `${functionText(fault.guilty)} adds an entry to a list that it is on already: ${where.replace(/\.(next|prev)$/, "")}`
          : `${functionText(fault.guilty)} takes an entry off a list in which ${where} is wrong`.replace(
              "takes an entry off",
              operation === "del" ? "takes an entry off" : "adds an entry to",
            ),
    checks,
    baseRate: { what: "links of the same list that do not agree", tried: ring.walked, fired: ring.broken.length },
    rarity: true,
    object,
    story: [
      ...(damaged === undefined || damaged.object === node || damaged.cache === ""
        ? []
        : [`The node lies in the object ${hex16(damaged.object)} of ${damaged.cache}, ${damaged.state}.`]),
      ...(expected === undefined || was === undefined
        ? []
        : [`${hex16(node)}->${link} should be ${hex16(expected)} and is ${hex16(was)}${wrote === undefined ? "" : `: ${wrote}`}.`]),
      ...(report.what === "poison" ? ["The entry had been taken off its list before.", ...unlinkedBy(fault)] : []),
      ...(report.what === "double add" ? ["The entry is on the list already."] : []),
      `${ring.sound} of ${ring.walked} links of the list agree with their neighbours.`,
    ],
    evidence: [
      ...faultEvidence(fault),
      ...(now === undefined
        ? []
        : [
            {
              claim: `${hex16(node)}->${link} is ${hex16(now)}`,
              command: `struct list_head ${hex16(node)}`,
              values: [{ address: linkAddress(node, link), value: now }],
            },
          ]),
    ],
  };
}

/**
 * The log is gone, and the trap is that of the kernel's own check: the entry is what its caller passed, and the links tell what was wrong
 * with it.
 */
function reportOfCheck({ kernel, access, guilty, guiltyLevel, values, activations, helper, subject }: FaultCase): ListReport | undefined {
  if (access.kind !== "trap" || subject.event !== undefined || helper === undefined || !/list_(?:add|del)/.test(helper.name))
    return undefined;
  const passed = (index: number): bigint | undefined => {
    const register = activations.machine.arguments[index] ?? "";
    return guilty.flow === undefined ? undefined : values.of(guiltyLevel, guilty.flow.originOf(guilty.pc, register))?.value;
  };
  const entry = passed(0);
  if (/list_add/.test(helper.name)) return addedWrongly(kernel, entry, passed(1), passed(2));
  if (entry === undefined) return undefined;
  for (const [own, back] of [
    ["next", "prev"],
    ["prev", "next"],
  ] as const) {
    const node = readLink(kernel, entry, own);
    if (node === undefined) continue;
    if (poisonOf(node)?.name.startsWith("LIST_POISON") === true)
      return { operation: "del", what: "poison", entry, node: entry, link: own, expected: undefined, was: node };
    // Checked since 6.2; a list_head that nobody initialised.
    if (node === 0n) return { operation: "del", what: "null", entry, node: entry, link: own, expected: undefined, was: node };
    const was = readLink(kernel, node, back);
    if (was !== undefined && was !== entry) return { operation: "del", what: "neighbour", entry, node, link: back, expected: entry, was };
  }
  return undefined;
}

/** __list_add_valid(new, prev, next): neighbours that do not point at each other, or the new entry among them. */
function addedWrongly(
  kernel: FaultCase["kernel"],
  entry: bigint | undefined,
  prev: bigint | undefined,
  next: bigint | undefined,
): ListReport | undefined {
  if (prev !== undefined && next === undefined) return addedWrongly(kernel, entry, prev, readLink(kernel, prev, "next"));
  if (next !== undefined && prev === undefined) return addedWrongly(kernel, entry, readLink(kernel, next, "prev"), next);
  if (prev === undefined || next === undefined) return undefined;
  if (entry === prev || entry === next) {
    const was = entry === undefined ? undefined : readLink(kernel, entry, "next");
    return { operation: "add", what: "double add", entry, node: entry as bigint, link: "next", expected: undefined, was };
  }
  for (const [node, link, expected] of [
    [next, "prev", prev],
    [prev, "next", next],
  ] as const) {
    const was = readLink(kernel, node, link);
    if (was !== undefined && was !== expected) return { operation: "add", what: "neighbour", entry, node, link, expected, was };
  }
  return undefined;
}

/**
 * What the code that called the check takes the entry for: the structure around the list_head that it passed. Another node of the list is
 * of the same structure when it lies in an object of the same kind.
 */
function namedByCode({ kernel, guilty, activations }: FaultCase, { entry }: ListReport, node: bigint): Placed | undefined {
  const [register = ""] = activations.machine.arguments;
  const fact = guilty.flow?.at(guilty.pc)?.registers.get(register);
  const target = fact?.offset === undefined ? undefined : pointedTo(fact.type);
  if (target === undefined || fact?.offset === undefined || target.name === "struct list_head") return undefined;
  const members = membersAt({ kind: "pointer", target: target.target, offset: fact.offset, stride: 0 }, 0);
  const object = BigInt.asUintN(64, node - BigInt(fact.offset));
  const role = slabRole(tryIdentify(kernel, node));
  const own = entry === undefined || entry === node ? role : slabRole(tryIdentify(kernel, entry));
  if (members.length === 0 || (entry !== undefined && entry !== node && (role === undefined || own?.cache !== role.cache)))
    return undefined;
  return {
    object: virtual(object),
    cache: role?.cache ?? "",
    state: role === undefined ? "" : stateText(role.state),
    type: target.name,
    member: pathsOf(members),
  };
}

function followed(fault: FaultCase, poison: string): Finding | undefined {
  const { kernel, access, bad } = fault;
  if (access.kind === "trap" || bad === undefined) return undefined;
  const source = sourceOf(fault);
  const role = source?.base === undefined ? undefined : slabRole(tryIdentify(kernel, source.base));
  const checks: Check[] = [
    ...stateChecks(fault),
    { what: `the value is ${poison}, which list_del() leaves`, result: "held" },
    {
      what: "the entry's object is still allocated",
      result: role === undefined || role.state.state === "unknown" ? "not possible" : role.state.state === "allocated" ? "held" : "refuted",
    },
  ];
  const object = sourceObject(fault);
  const twice = isUnlinking(fault);
  const from = untypedPlace(fault) ?? pointerName(fault);
  return {
    class: "list-corruption",
    depth: "mechanism",
    title: twice
      ? `${functionText(fault.guilty)} takes an entry off its list a second time: ${from} is ${poison}`
      : `${functionText(fault.guilty)} ${accessPhrase(fault)} through ${from} of an entry that was taken off its list`,
    checks,
    ...(object === undefined ? {} : { object }),
    story: [
      twice
        ? `The entry was off its list already (list_del() leaves ${poison} in it): the code took it off once more, and wrote to where its neighbour should be.`
        : "The code went on from an entry that had been taken off its list (list_del() leaves these values in it): it walked over the list while that was changed.",
      ...unlinkedBy(fault),
    ],
    evidence: [...faultEvidence(fault), ...sourceEvidence(fault)],
  };
}

/**
 * list_del() and hlist_del() write the neighbours' links: next->prev, 8 bytes into what LIST_POISON1 leads to, or prev->next (*pprev), at
 * LIST_POISON2 itself. A walk only reads.
 */
function isUnlinking({ access, bad, path }: FaultCase): boolean {
  const poison = bad === undefined ? undefined : poisonOf(bad.value);
  if (access.kind !== "memory" || path?.access.kind !== "write" || poison === undefined) return false;
  return access.address - poison.value === (poison.name === "LIST_POISON1" ? 8n : 0n);
}

/** A list_head is at the offset: what the caches that were merged into one are told apart by. */
function isListHead(type: CType, offset: number): boolean {
  return membersAt({ kind: "pointer", target: type, offset, stride: 0 }, 0).some((each) => {
    const plain = strip(each.type);
    return plain.kind === "struct" && plain.name === "list_head";
  });
}

function placedText(placed: Placed | undefined, address: bigint): string | undefined {
  if (placed?.cache === undefined) return undefined;
  const into = `0x${(virtual(address) - placed.object).toString(16)}`;
  return `${placed.type === undefined ? `${placed.cache} object` : placed.type} ${hex16(placed.object)}${placed.member === undefined ? ` + ${into}` : `, ${placed.member}`}`;
}
