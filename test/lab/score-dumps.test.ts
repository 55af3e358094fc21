/**
 * The score of diagnosis over what the lab's cache holds (`npm run score:dumps` prints it in full): planted faults, the lab's own cases,
 * healthy dumps and a sample of mutations, against the targets. Bounded in time: cases take turns until it is over.
 */
import { beforeAll, describe, expect, test } from "vitest";
import { type CachedCase, cachedCases, dumpNamed, faultsInCache, loadCase } from "../../lab/case-record.ts";
import { loadDisassemblers } from "../support/score-dumps/disassemblers.ts";
import { isSound, labelOf } from "../support/score-dumps/labels.ts";
import { leftOutByLevel31 } from "../support/score-dumps/left-out.ts";
import { kernelIn, openLabDump } from "../support/score-dumps/open-case.ts";
import { hollowDump } from "../support/score-dumps/overlay.ts";
import { missesText } from "../support/score-dumps/print.ts";
import { Chance } from "../support/score-dumps/random.ts";
import { type Row, scoreCase, scoreMutations } from "../support/score-dumps/run.ts";
import { type Tally, tally } from "../support/score-dumps/tally.ts";

beforeAll(loadDisassemblers);

/** Seconds that a part may take before it looks at no further case. */
const ENOUGH = 100;

/** In an order of its own, so that a part that is cut short has seen cases of every kind. */
function mixed(cases: readonly CachedCase[], seed: string): readonly CachedCase[] {
  return new Chance(seed).shuffled(cases);
}

async function collect(cases: readonly CachedCase[], rowsOf: (lab: CachedCase) => AsyncGenerator<Row>): Promise<readonly Row[]> {
  const end = performance.now() + ENOUGH * 1000;
  const rows: Row[] = [];
  for (const lab of cases) {
    if (performance.now() > end) break;
    for await (const row of rowsOf(lab)) rows.push(row);
  }
  return rows;
}

/** Each target by its name; what was missed is the message. */
function expectTargets(found: Tally, rows: readonly Row[], wanted: Readonly<Record<string, number>>): void {
  for (const { name, share } of found.targets) {
    const least = wanted[name];
    if (least === undefined || share.total === 0) continue;
    const percent = (100 * share.right) / share.total;
    expect(percent, `${name}: ${share.right} of ${share.total}\n${[...missesText(rows)].join("\n")}`).toBeGreaterThanOrEqual(least);
  }
  expect(found.failures.map(({ case: id, error }) => `${id}: ${error}`)).toEqual([]);
}

const sound = cachedCases().filter((lab) => {
  const label = labelOf(lab);
  return label !== undefined && isSound(label);
});

describe("score of dumps", () => {
  test("planted faults and the lab's own, by the dump alone and with debug information", async () => {
    const cases = mixed([...cachedCases(), ...faultsInCache()], "faults");
    const rows = await collect(cases, (lab) => scoreCase(lab, ["plain", "dwarf"]));
    expectTargets(tally(rows), rows, {
      class: 95,
      function: 95,
      "type.member, DWARF": 85,
      "type.member, BTF alone": 75,
      "deadlock participants": 100,
      "evidence valid": 100,
      "high confidence right": 97,
      "without false accusation": 100,
      "healthy called healthy": 100,
    });
  });

  test("mutations of healthy dumps", async () => {
    const rows = await collect(mixed(sound, "mutations"), (lab) => scoreMutations(lab, "continuous integration", 12));
    expectTargets(tally(rows), rows, {
      class: 95,
      "type.member, BTF alone": 85,
      "deadlock participants": 100,
      "evidence valid": 100,
      "high confidence right": 97,
      "without false accusation": 100,
      "healthy called healthy": 100,
    });
  });
});

/** 6.12's makedumpfile of the lab knows its free pages no more; what it leaves out is then less. */
const COMPARED = ["5.10-amd64", "5.10-arm64", "6.1-amd64", "6.1-arm64"].flatMap((kernel) => loadCase(`${kernel}-kdump-timer`) ?? []);

test.each(COMPARED.map((lab) => [lab.id, lab] as const))("%s: pages left out as by makedumpfile -d 31", async (_, lab) => {
  const real = await openLabDump(dumpNamed(lab, "zlib-d31"));
  const whole = await openLabDump(dumpNamed(lab, "lzo-d0"));
  const hollow = hollowDump(whole, leftOutByLevel31(kernelIn(whole)));
  const page = new Uint8Array(real.pageSize);
  const different: number[] = [];
  for (let pfn = 0; pfn < real.maxPfn; pfn++)
    if (real.readPage(pfn, page)?.reason !== hollow.readPage(pfn, page)?.reason) different.push(pfn);
  expect(different).toEqual([]);
  real.close();
  whole.close();
});
