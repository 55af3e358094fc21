/**
 * Types by three readers: our BTF of the dump, our DWARF of its vmlinux, and drgn's DWARF. On each kernel whose vmlinux is in the cache.
 * Where a name has several definitions (C allows one for each file), BTF and drgn must each have one of those that we have.
 */
import { existsSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { builtCases, cachedCases } from "../../lab/case-record.ts";
import { cacheDir } from "../../lab/paths.ts";
import { cachedPeers, runPeer } from "../../lab/peers.ts";
import { FormatError } from "../../src/bytes/errors.ts";
import { openFile } from "../../src/bytes/file-source.ts";
import type { Btf } from "../../src/debug-info/btf.ts";
import type { EnumType, StructType, TypeKey, TypeSource } from "../../src/debug-info/c-type.ts";
import { DebugFile } from "../../src/debug-info/debug-file.ts";
import { DwarfDebugInfo } from "../../src/debug-info/dwarf/dwarf-debug-info.ts";
import { openKernel } from "../../src/kernel/open.ts";
import { contentAsBtf, DRGN_LAYOUTS, layoutOf, sample, sizedSymbols } from "../support/type-layouts.ts";

/** Kernels that the lab built have no BTF: drgn and the symbols remain. */
const cases = [...cachedCases(), ...builtCases()].filter(
  (made, index, all) =>
    made.vmlinux !== undefined && existsSync(made.vmlinux) && all.findIndex((other) => other.vmlinux === made.vmlinux) === index,
);

interface Known {
  readonly why: string;
  /** BTF's definition, and all that DWARF has. */
  readonly holds: (key: TypeKey, btf: string, dwarf: readonly string[]) => boolean;
}

/** An enum without what BTF did not say before kernel 6.0. */
const oldEnum = (text: string) =>
  text.replace(/(enum \w* \d)[su] \{/g, "$1 {").replace(/=(-?\d+)/g, (_, value) => `=${BigInt.asUintN(32, BigInt(value))}`);

/** Names that drivers/iommu/generic_pt makes of a page table's format. */
const pageTable = (text: string) => text.replace(/(x86_64|vtdss|amdv1|armv8\w*)_pt/g, "pt");

/** Differences between BTF and DWARF that are neither reader's. */
const KNOWN: readonly Known[] = [
  {
    why: "a type defined within a function: pahole describes it, but it has no name outside (drgn does not find it either)",
    holds: (key, _btf, dwarf) => key !== "function" && dwarf.length === 0,
  },
  {
    why: "before pahole 1.24 and kernel 6.0 BTF does not tell whether an enum is signed, and cuts its values to 32 bits",
    holds: (_key, btf, dwarf) => !/enum \w* \du/.test(btf) && dwarf.some((each) => oldEnum(each) === oldEnum(btf)),
  },
  {
    why: "BTF of 5.10 does not tell whether a char is signed: that is the machine's habit, until 6.2 builds with -funsigned-char",
    holds: (key, btf, dwarf) => key === "base" && btf === "char 1u char" && dwarf.includes("char 1s char"),
  },
  {
    why: "a kfunc's last argument that the verifier passes: BTF does not show it (7.0)",
    holds: (key, btf, dwarf) => key === "function" && dwarf.includes(btf.replace(")", ",*const struct bpf_prog_aux)")),
  },
  {
    why: "a header that is included several times with other names each time: at one place of the source, the index of names takes one for all",
    holds: (key, btf, dwarf) => key === "struct" && / pt_iommu/.test(btf) && dwarf.some((each) => pageTable(each) === pageTable(btf)),
  },
  {
    why: "BTF has floating-point types since 5.13; before, pahole writes them as integers",
    holds: (key, btf, dwarf) => key === "base" && dwarf.some((each) => btf === `${each}u int` && /^(float|double|long double) /.test(each)),
  },
];

function compare(key: TypeKey, names: readonly string[], btf: TypeSource, dwarf: TypeSource): string[] {
  const texts = (source: TypeSource, name: string) => source.findAll(key, name).map(contentAsBtf);
  return names.flatMap((name) => {
    const theirs = texts(dwarf, name);
    const missing = texts(btf, name).filter((text) => !theirs.includes(text));
    return missing
      .filter((text) => !KNOWN.some(({ holds }) => holds(key, text, theirs)))
      .map((text) => `${key} ${name}\n  BTF   ${text}\n  DWARF ${theirs.join("\n        ")}`);
  });
}

const all = (source: TypeSource, key: TypeKey) => source.names(key, "", Number.MAX_SAFE_INTEGER);

/** An enum by its id; undefined for what is another type or none. */
function enumOf(btf: Btf, id: number): EnumType | undefined {
  try {
    const type = btf.typeById(id);
    return type.kind === "enum" ? type : undefined;
  } catch (error) {
    if (error instanceof FormatError) return undefined;
    throw error;
  }
}

describe.each(cases.map((made) => [made.release, made] as const))("%s", (_release, made) => {
  const built = made.kernel.buildDir !== undefined;
  let btf: Btf;
  let dwarf: DwarfDebugInfo;
  let structs: (readonly ["struct" | "union", string])[];

  beforeAll(async () => {
    if (!built) btf = (await openKernel(made.dumps[0]?.files ?? [])).types.sources[0] as Btf;
    dwarf = DwarfDebugInfo.open(DebugFile.open(openFile(made.vmlinux as string)), "vmlinux");
    const names = (["struct", "union"] as const).flatMap((key) => all(built ? dwarf : btf, key).map((name) => `${key} ${name}`));
    structs = sample(names, 2000).map((name) => name.split(" ") as ["struct" | "union", string]);
  });

  test.skipIf(built)("2,000 structures and unions are the same in BTF and DWARF", () => {
    expect(structs.length).toBe(2000);
    expect(structs.flatMap(([key, name]) => compare(key, [name], btf, dwarf))).toEqual([]);
  });

  test.skipIf(built)("enums, typedefs, base types and prototypes too", () => {
    const keys = ["enum", "typedef", "base", "function"] as const;
    expect(keys.flatMap((key) => compare(key, sample(all(btf, key), 1500), btf, dwarf))).toEqual([]);
  });

  test.skipIf(built)("enum constants too", () => {
    // Several enums may have a constant of one name; anonymous ones have most of them.
    const values = new Map<string, bigint[]>();
    let whole = false;
    for (let id = 1; id <= btf.count; id++) {
      const type = enumOf(btf, id);
      if (type === undefined) continue;
      whole ||= !type.signed;
      for (const { name, value } of type.enumerators) values.set(name, [...(values.get(name) ?? []), value]);
    }
    const told = (value: bigint) => (whole ? value : BigInt.asUintN(32, value));
    const names = sample(values.keys(), 3000);
    const found = names.flatMap((name) => {
      const constant = dwarf.constant(name);
      return constant === undefined ? [] : [{ name, value: constant.value }];
    });
    expect(found.filter(({ name, value }) => !values.get(name)?.some((each) => told(each) === told(value)))).toEqual([]);
    // The others are those of enums within functions.
    expect(found.length).toBeGreaterThan(names.length * 0.97);
  });

  const peers = cachedPeers();
  test.skipIf(peers === undefined)("drgn has the same layouts", async () => {
    const command = ["python3", "-c", DRGN_LAYOUTS, made.vmlinux as string, made.arch === "arm64" ? "AARCH64" : "X86_64"];
    const input = `${structs.map((pair) => pair.join(" ")).join("\n")}\n`;
    const result = await runPeer(peers as NonNullable<typeof peers>, command, { see: [cacheDir()], input, timeoutMs: 300_000 });
    const lines = result.stdout.toString().trim().split("\n");
    const said = new Map(lines.map((line) => [line.slice(0, line.indexOf("|")), line.slice(line.indexOf("|") + 1)]));
    const wrong = structs.flatMap(([key, name]) => {
      const theirs = said.get(`${key} ${name}`) ?? "nothing";
      const ours = dwarf.findAll(key, name).map((type) => layoutOf(type as StructType));
      const same = ours.length === 0 ? theirs.startsWith("! LookupError") : ours.includes(theirs);
      return same ? [] : [`${key} ${name}\n  drgn ${theirs}\n  ours ${ours.join("\n       ")}`];
    });
    expect(wrong).toEqual([]);
    expect([...said.values()].filter((each) => each.startsWith("! LookupError")).length).toBeLessThan(20);
  });

  test("symbols are the functions and variables that DWARF has by their names", () => {
    const symbols = new Map(
      sizedSymbols(DebugFile.open(openFile(made.vmlinux as string)).elf).map((each) => [`${each.name} ${each.address}`, each]),
    );
    // Left out: constants without a name, the constructors that KASAN makes, what macros write in assembler, Rust (whose names are other ones), a hypervisor linked in with prefixes.
    const foreign =
      /^(\.L|_sub_[ID]_|__pfx|__BTF_ID|__ksymtab|__kstrtab|__flags_|__crc|__compound|CSWTCH|__SC[KT]_|_R|__kvm_nvhe|__pi_)|\.(cold|isra|part)/;
    const some = (kind: "function" | "object", count: number) =>
      sample(
        [...symbols].filter(([name, each]) => each.kind === kind && !foreign.test(name)).map(([name]) => name),
        count,
      ).flatMap((name) => symbols.get(name) ?? []);
    const functions = some("function", 400);
    // GCC before 13 on arm64 lets them begin behind the instructions that ftrace patches.
    const gap = made.arch === "arm64" ? 16n : 0n;
    const found = functions.filter(({ name, address }) =>
      dwarf.functions(name.replace(/\..*/, "")).some(({ ranges }) => ranges.some(({ low }) => low >= address && low - address <= gap)),
    );
    expect(found.length).toBeGreaterThan(functions.length * 0.94);
    // Assembler gives one function several names: __memcpy, memcpy.
    const other = found.filter(({ name, address }) => {
      const scope = dwarf.scopesAt(address).at(-1);
      return scope?.name !== name.replace(/\..*/, "") && scope?.entry !== address;
    });
    expect(other).toEqual([]);
    // A static variable of a function has a number behind its name, and is not looked for where the file has one of that name.
    const variables = some("object", 150);
    const known = variables.filter(({ name, address }) => {
      const all = dwarf.variables(name.replace(/\.\d+$/, ""));
      return all.some((each) => each.address === address) || all.some(({ scope }) => scope === undefined);
    });
    expect(known.length).toBeGreaterThan(variables.length * 0.94);
    const inner = known.filter(({ name }) => /\.\d+$/.test(name)).flatMap(({ name }) => dwarf.variables(name.replace(/\.\d+$/, "")));
    expect(inner.some(({ scope, address }) => scope !== undefined && address !== undefined)).toBe(true);
  });
});
