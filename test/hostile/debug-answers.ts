/**
 * Asks a debug file everything that its readers answer: entries and all their attributes, types, scopes with variables and the values of
 * their expressions, lines, rules of frames, names, symbols. Each answer by itself: one that fails must not take others with it.
 */
import { virtual } from "../../src/bytes/address.ts";
import { FaultError, InquestError } from "../../src/bytes/errors.ts";
import { MemorySource } from "../../src/bytes/memory-source.ts";
import { Btf } from "../../src/debug-info/btf.ts";
import { declare, printDefinition } from "../../src/debug-info/c-format-type.ts";
import type { TypeKey, TypeSource } from "../../src/debug-info/c-type.ts";
import { DebugFile } from "../../src/debug-info/debug-file.ts";
import type { Scope } from "../../src/debug-info/debug-info.ts";
import type { DebugSections } from "../../src/debug-info/debug-sections.ts";
import * as dw from "../../src/debug-info/dwarf/constants.ts";
import type { DwarfDie } from "../../src/debug-info/dwarf/die-entry.ts";
import { DwarfDebugInfo } from "../../src/debug-info/dwarf/dwarf-debug-info.ts";
import { evaluateLocation, evaluateScalar } from "../../src/debug-info/dwarf/expression.ts";
import { type ExpressionContext, expressionUnit } from "../../src/debug-info/dwarf/expression-context.ts";
import { UnitBytes } from "../../src/debug-info/dwarf/unit-bytes.ts";
import { openUnits } from "../../src/debug-info/dwarf/units.ts";
import { Elf } from "../../src/debug-info/elf.ts";
import { ElfSymbols } from "../../src/debug-info/elf-symbols.ts";
import { miniSymbols } from "../../src/debug-info/mini-symbols.ts";

const TEXT = 0xffffffff81000000n;
const TEXT_SIZE = 0x300n;
const KEYS: readonly TypeKey[] = ["struct", "union", "enum", "typedef", "base", "function", "variable"];
const NAMES: readonly (readonly [TypeKey, string])[] = [
  ["struct", "task"],
  ["struct", "queue"],
  ["enum", "state"],
  ["typedef", "handler_t"],
  ["base", "int"],
  ["function", "enqueue"],
  ["function", "sum"],
  ["variable", "tasks"],
  ["variable", "entered"],
];
const LOCATIONS = new Set<number>([dw.DW_AT_location, dw.DW_AT_frame_base]);
/** More than the whole file has; answers that do not end would otherwise not be told from many. */
const MAX_STEPS = 200_000;

/** What was asked and how it went. */
export class Answers {
  /** Answers given. */
  count = 0;
  /** Questions answered with an error of ours. */
  refused = 0;
  /** What must not happen. */
  readonly bugs: string[] = [];
  #steps = 0;

  /** Asks one thing. */
  ask<T>(question: () => T): T | undefined {
    try {
      const answer = question();
      this.count++;
      return answer;
    } catch (error) {
      this.refused++;
      if (!(error instanceof InquestError)) this.#bug(error instanceof Error ? (error.stack ?? error.message) : String(error));
      else if (error.message.includes("\n")) this.#bug(`an error of several lines: ${error.message}`);
      else if (error.message.length > 2000) this.#bug(`an error of ${error.message.length} characters: ${error.message.slice(0, 200)}`);
      return undefined;
    }
  }

  /** Takes what an iterable gives, in bounds. */
  all<T>(question: () => Iterable<T>, visit: (value: T) => void = () => {}): void {
    this.ask(() => {
      for (const value of question()) {
        if (++this.#steps > MAX_STEPS) return this.#bug(`more than ${MAX_STEPS} answers`);
        visit(value);
      }
    });
  }

  #bug(text: string): void {
    if (this.bugs.length < 5) this.bugs.push(text);
  }
}

/** A frame of nothing in particular: registers that point to memory, half of it unreadable. */
function context(unit: ExpressionContext["unit"]): ExpressionContext {
  const read = (address: bigint) => {
    if ((address & 0x10n) !== 0n) throw new FaultError(address, "virtual", "unmapped");
    return BigInt.asUintN(64, address * 0x9e3779b97f4a7c15n);
  };
  return {
    unit,
    memory: {
      u8: (address) => Number(read(address) & 0xffn),
      u16: (address) => Number(read(address) & 0xffffn),
      u32: (address) => Number(read(address) & 0xffffffffn),
      u64: read,
    },
    register: (register) => (register < 17 ? TEXT + BigInt(register) * 8n : undefined),
    registerName: (register) => `r${register}`,
    runtime: (link) => link,
    cfa: () => TEXT + 0x100n,
    frameBase: () => TEXT + 0x200n,
    entryValue: (expression) => BigInt(expression.length),
    objectAddress: () => TEXT,
  };
}

/** Every entry of every unit, every attribute in every way. */
export function askUnits(sections: DebugSections, answers: Answers): void {
  const units = answers.ask(() => openUnits(sections, new UnitBytes(1 << 16)));
  if (units === undefined) return;
  const walk = (die: DwarfDie, depth: number) => {
    for (const attribute of die.attributes) {
      answers.ask(() => die.classOf(attribute));
      answers.ask(() => [die.bigint(attribute), die.signed(attribute), die.number(attribute), die.flag(attribute)]);
      answers.ask(() => [die.string(attribute), die.address(attribute), die.bytes(attribute)]);
      answers.ask(() => die.reference(attribute)?.tag);
      if (LOCATIONS.has(attribute)) answers.all(() => die.unit.locations(die, attribute));
    }
    answers.ask(() => die.ranges);
    if (depth < 64)
      answers.all(
        () => die.children(),
        (child) => walk(child, depth + 1),
      );
  };
  answers.all(
    () => units.every(),
    (unit) => {
      answers.ask(() => [unit.kind, unit.name, unit.directory, unit.lineOffset, unit.baseAddress]);
      answers.ask(() => unit.ranges);
      answers.ask(() => unit.imports.length);
      const root = answers.ask(() => unit.root);
      if (root !== undefined) walk(root, 0);
    },
  );
  for (let address = TEXT - 8n; address < TEXT + TEXT_SIZE; address += 40n) answers.ask(() => units.at(address)?.name);
}

/** Types by name and all together, as C would write them. */
export function askTypes(source: TypeSource, answers: Answers): void {
  for (const [key, name] of NAMES) {
    answers.ask(() => {
      const type = source.find(key, name);
      if (type !== undefined) declare(type, name);
    });
    answers.ask(() => source.findAll(key, name).map((type) => printDefinition(type)));
  }
  answers.ask(() => source.constant("RUNNING"));
  for (const key of KEYS) answers.ask(() => source.names(key, "", 100));
  answers.all(
    () => source.structs(),
    (type) => answers.ask(() => printDefinition(type)),
  );
}

function askScope(scope: Scope, pc: bigint, answers: Answers): void {
  answers.ask(() => [scope.name, scope.ranges, scope.entry, scope.call, scope.declared]);
  answers.ask(() => scope.type !== undefined && declare(scope.type));
  const variables = answers.ask(() => scope.variables) ?? [];
  for (const variable of variables) {
    answers.ask(() => declare(variable.type, variable.name));
    answers.ask(() => {
      const { unit } = variable.die;
      const expression = unit.locationAt(variable.die, dw.DW_AT_location, pc);
      if (expression !== undefined) evaluateLocation(expression, context(expressionUnit(unit, pc)));
    });
  }
  const sites = answers.ask(() => scope.callSites) ?? [];
  for (const { parameters } of sites)
    for (const { value, die } of parameters) answers.ask(() => evaluateScalar(value, context(expressionUnit(die.unit, pc))));
}

/** What DwarfDebugInfo knows of an address. */
export function askAddress(info: DwarfDebugInfo, address: bigint, answers: Answers): void {
  answers.ask(() => info.lineAt(address));
  for (const scope of answers.ask(() => info.scopesAt(address)) ?? []) askScope(scope, address, answers);
  const row = answers.ask(() => info.frameRow(address));
  if (row === undefined) return;
  const { cfa } = row;
  if ("expression" in cfa) answers.ask(() => evaluateScalar(cfa.expression, context(undefined)));
  for (const rule of row.registers.values())
    if ("expression" in rule) answers.ask(() => evaluateScalar(rule.expression, context(undefined), [TEXT]));
}

/** Everything of an ELF file. */
export function askFile(bytes: Uint8Array, answers: Answers): void {
  const source = new MemorySource("vmlinux", bytes);
  const file = answers.ask(() => DebugFile.open(source));
  if (file !== undefined) {
    askUnits(file, answers);
    const info = DwarfDebugInfo.open(file, "vmlinux");
    for (let address = TEXT; address < TEXT + TEXT_SIZE; address += 28n) askAddress(info, address, answers);
    answers.all(() => info.lines({ low: TEXT, high: TEXT + TEXT_SIZE }));
    answers.ask(() => info.addressesOf("queue.c", 26));
    for (const name of ["enqueue", "first_of", "apply", "start"])
      for (const scope of answers.ask(() => info.functions(name)) ?? []) askScope(scope, TEXT + 0x40n, answers);
    for (const name of ["ready", "tasks", "entered"]) answers.ask(() => info.variables(name));
    askTypes(info, answers);
  }
  const elf = answers.ask(() => Elf.open(source));
  if (elf === undefined) return;
  answers.ask(() => elf.buildId());
  const symbols = answers.ask(() => ElfSymbols.open(elf));
  answers.ask(() => miniSymbols(elf));
  if (symbols === undefined) return;
  answers.ask(() => symbols.byName("enqueue"));
  answers.ask(() => symbols.byAddress(virtual(TEXT + 0x100n)));
  answers.ask(() => symbols.prefix("e", 10));
  answers.all(() => symbols.matching("a"));
}

/** Everything of a BTF. */
export function askBtf(bytes: Uint8Array, answers: Answers): void {
  const btf = answers.ask(() => Btf.open(bytes, "vmlinux"));
  if (btf === undefined) return;
  askTypes(btf, answers);
  answers.all(() => btf.sectionVariables(".data..percpu"));
}
