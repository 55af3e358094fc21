/** The variables of `set`: their names as crash spells them, how each is shown, and what values it takes. */
import { UsageError } from "../../bytes/errors.ts";
import type { Session, Settings } from "../command.ts";
import { parseCount } from "./numbers.ts";

export interface Variable {
  readonly name: string;
  readonly help: string;
  show(session: Session): string;
  /** Throws UsageError for a value that does not fit. */
  assign(session: Session, value: string): void;
}

type KeyOf<Value> = { [Key in keyof Settings]-?: Settings[Key] extends Value ? Key : never }[keyof Settings];

export const VARIABLES: readonly Variable[] = [
  {
    name: "scroll",
    help: "pager for output that does not fit the terminal: on, off, less, more, CRASHPAGER",
    show: ({ settings }) => (settings.scroll ? `on${settings.pager === undefined ? "" : ` (${settings.pager})`}` : "off"),
    assign({ settings }, value) {
      if (value === "less" || value === "more") {
        settings.pager = value;
        settings.scroll = true;
      } else if (value === "CRASHPAGER") {
        settings.pager = undefined;
        settings.scroll = true;
      } else {
        settings.scroll = onOff("scroll", value);
      }
    },
  },
  {
    name: "radix",
    help: "radix of printed numbers: 10 or 16",
    show: ({ settings }) => (settings.radix === 10 ? "10 (decimal)" : "16 (hex)"),
    assign({ settings }, value) {
      if (/^(10|dec|decimal)$/.test(value)) settings.radix = 10;
      else if (/^(16|0x10|hex|hexadecimal)$/.test(value)) settings.radix = 16;
      else throw new UsageError(`radix is 10 or 16, not "${value}"`);
    },
  },
  flag("refresh", "refresh", "accepted; a dump does not change"),
  count("print_max", "printMax", "elements of an array that are printed"),
  flag("print_array", "printArray", "one element of an array a line"),
  text("console", "console", "accepted; messages go to the standard error", "not set"),
  count("debug", "debug", "accepted; 0 is silent"),
  flag("core", "core", "accepted; errors leave no core file"),
  {
    name: "hash",
    help: "accepted; lists are always checked for loops",
    show: ({ settings }) => (settings.hash > 0 ? "on" : "off"),
    assign({ settings }, value) {
      if (/^\d+$/.test(value)) settings.hash = parseCount(value);
      else settings.hash = onOff("hash", value) ? 32768 : 0;
    },
  },
  flag("silent", "silent", "no banner, no pager"),
  choice("edit", "edit", ["vi", "emacs"], "editing at the prompt; vi is accepted and edits like emacs"),
  fixed("namelist", "the vmlinux", ({ files }) => files.namelist ?? "(none)"),
  fixed("dumpfile", "the dump", ({ files }) => files.dump.join(" ")),
  flag("unwind", "unwind", "accepted; stacks are always unwound by the kernel's own tables"),
  {
    name: "zero_excluded",
    help: "memory that was left out of the dump reads as zeroes",
    show: ({ settings }) => (settings.zeroExcluded ? "on" : "off"),
    assign({ settings, kernel }, value) {
      settings.zeroExcluded = onOff("zero_excluded", value);
      kernel.physical.zeroExcluded = settings.zeroExcluded;
    },
  },
  flag("null-stop", "nullStop", "character arrays are printed up to their first NUL"),
  flag("gdb", "gdb", "accepted; there is no gdb inside"),
  text("scope", "scope", "accepted; needs a vmlinux with debug information", "0 (not set)"),
  text("src", "src", "directory of the kernel's source, for dis -s"),
  choice("offline", "offline", ["show", "hide"], "offline CPUs in per-CPU output"),
  flag("redzone", "redzone", "addresses of slab objects are those behind the left red zone"),
  text("error", "error", "accepted; errors go to the standard error, never into a pipe or file"),
];

export const SETTING_NAMES: readonly string[] = VARIABLES.map(({ name }) => name);

export function findVariable(name: string): Variable | undefined {
  return VARIABLES.find((variable) => variable.name === name || variable.name === name.replace(/[-_]/g, (c) => (c === "-" ? "_" : "-")));
}

function flag(name: string, key: KeyOf<boolean>, help: string): Variable {
  return {
    name,
    help,
    show: ({ settings }) => (settings[key] ? "on" : "off"),
    assign({ settings }, value) {
      settings[key] = onOff(name, value);
    },
  };
}

function count(name: string, key: "printMax" | "debug", help: string): Variable {
  return {
    name,
    help,
    show: ({ settings }) => String(settings[key]),
    assign({ settings }, value) {
      const number = parseCount(value);
      if (number < 0) throw new UsageError(`${name} is 0 or more, not ${value}`);
      settings[key] = number;
    },
  };
}

function text(name: string, key: "console" | "scope" | "error" | "src", help: string, unset = "(not set)"): Variable {
  return {
    name,
    help,
    show: ({ settings }) => settings[key] || unset,
    assign({ settings }, value) {
      settings[key] = value;
    },
  };
}

function choice<Key extends "edit" | "offline">(name: string, key: Key, values: readonly Settings[Key][], help: string): Variable {
  return {
    name,
    help: `${help}: ${values.join(" or ")}`,
    show: ({ settings }) => settings[key],
    assign({ settings }, value) {
      const chosen = values.find((each) => each === value);
      if (chosen === undefined) throw new UsageError(`${name} is ${values.join(" or ")}, not "${value}"`);
      settings[key] = chosen;
    },
  };
}

function fixed(name: string, help: string, show: (session: Session) => string): Variable {
  return {
    name,
    help,
    show,
    assign: () => {
      throw new UsageError(`${name} is fixed once the dump is open`);
    },
  };
}

function onOff(name: string, value: string): boolean {
  if (/^(on|1|yes|true)$/i.test(value)) return true;
  if (/^(off|0|no|false)$/i.test(value)) return false;
  throw new UsageError(`${name} is on or off, not "${value}"`);
}
