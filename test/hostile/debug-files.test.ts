/**
 * Damaged debug files: 5,000 seeds over the sections of three little kernels (debug-files/) and over BTF, all readers over each. Allowed
 * outcomes: answers, or one-line errors of ours, within bounds of time and memory; and damage to one unit costs no answer about another.
 */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { describe, expect, test } from "vitest";
import { MemorySource } from "../../src/bytes/memory-source.ts";
import { DebugFile } from "../../src/debug-info/debug-file.ts";
import { DwarfDebugInfo } from "../../src/debug-info/dwarf/dwarf-debug-info.ts";
import type { DebugReport } from "./debug-files-child.ts";
import { damage, placesOf } from "./debug-mutation.ts";

const CHILD = "dist/test/hostile/debug-files-child.js";
const FOLDER = "test/hostile/debug-files";
/** An undamaged file takes a twentieth of a second. */
const SECONDS_EACH = 10;
/** It takes 60 MiB, nearly all of it Node. */
const MAX_RESIDENT_MIB = 400;

function run(file: string, seeds: number): Promise<readonly DebugReport[]> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ["--max-old-space-size=300", CHILD, file, "0", String(seeds)], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const reports: DebugReport[] = [];
    let seed = -1;
    let timer = setTimeout(() => {}, 0);
    const watch = () => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        child.kill("SIGKILL");
        reject(new Error(`${file}, seed ${seed}: no answer within ${SECONDS_EACH} s`));
      }, SECONDS_EACH * 1000);
    };
    watch();
    createInterface({ input: child.stdout })
      .on("line", (line) => {
        watch();
        const message = JSON.parse(line) as DebugReport | { readonly start: number };
        if ("start" in message) seed = message.start;
        else reports.push(message);
      })
      .on("close", () => {
        clearTimeout(timer);
        if (reports.length === seeds) resolve(reports);
        else reject(new Error(`${file}: the child ended at seed ${seed}`));
      });
  });
}

describe.concurrent.each([
  ["dwarf5.elf", 1600, 4000],
  ["dwarf4-types.elf", 1200, 4000],
  ["clang5.elf", 1200, 3000],
  ["main.btf", 1000, 30],
] as const)("%s", (file, seeds, answers) => {
  test(`${seeds} seeds`, async () => {
    const reports = await run(`${FOLDER}/${file}`, seeds);
    expect(reports.flatMap(({ seed, place, bugs }) => bugs.map((bug) => `seed ${seed}, ${place}: ${bug}`)).slice(0, 5)).toEqual([]);
    const [whole, ...damaged] = reports;
    // The file as it is answers everything.
    expect(whole?.refused).toBe(0);
    expect(whole?.answers).toBeGreaterThan(answers);
    expect(Math.max(...reports.map(({ residentMiB }) => residentMiB))).toBeLessThan(MAX_RESIDENT_MIB);
    // Damage in a corner costs what lies there: half of the files must still answer nearly everything.
    const shares = damaged.map((report) => report.answers / whole!.answers).sort((a, b) => a - b);
    expect(shares[shares.length >> 1]).toBeGreaterThan(file.endsWith(".elf") ? 0.9 : 0.6);
  });
});

describe.each(["dwarf5.elf", "dwarf4-types.elf", "clang5.elf"])("%s", (file) => {
  const bytes = new Uint8Array(readFileSync(`${FOLDER}/${file}`));
  const open = (from: Uint8Array) => DwarfDebugInfo.open(DebugFile.open(new MemorySource("vmlinux", from)), "vmlinux");
  const original = open(bytes);
  const unitOf = (name: string) => [...original.units.all()].find((unit) => unit.name === name)!;
  const [victim, witness] = [unitOf("queue.c"), unitOf("main.c")];
  const info = placesOf(bytes).find(({ name }) => name === ".debug_info")!;

  /** Everything about the code of the unit that was not touched. */
  const facts = (from: DwarfDebugInfo): unknown[] => {
    const found: unknown[] = [];
    for (const { low, high } of witness.ranges)
      for (let address = low; address < high; address += 4n) {
        const scopes = from.scopesAt(address).map(({ kind, name, ranges, entry, call, declared, variables, callSites }) => ({
          ...{ kind, name, ranges, entry, call, declared },
          variables: variables.map((variable) => [variable.name, variable.type.kind, variable.declared]),
          calls: callSites.map(({ returnAddress, target }) => [returnAddress, target]),
        }));
        found.push([address, scopes, from.lineAt(address), from.frameRow(address)?.cfa]);
      }
    return found;
  };
  const expected = facts(original);

  test("damage to one unit's entries leaves the answers about another as they are", () => {
    expect(expected.length).toBeGreaterThan(50);
    // Behind the header, whose length says where the next unit is, and the first entry, which says what code is the unit's.
    const [first] = [...victim.root.children()];
    const entries = { name: "entries", from: info.from + first!.offset, to: info.from + victim.end };
    for (let seed = 1; seed <= 150; seed++) {
      const damaged = open(damage(bytes, entries, seed));
      expect(facts(damaged), `seed ${seed}`).toEqual(expected);
    }
  });
});
