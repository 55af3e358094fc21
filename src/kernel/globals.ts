/**
 * C declarations of the kernel's global variables that Inquest reads. BTF describes types and functions and almost no variables, so
 * what DWARF would say of them stands here, in C, and is bound to the addresses of kallsyms. A lab test holds every line against DWARF.
 *
 * A variable that changed its type over time has one line a form, newest first; the first whose types all exist in the dump is taken.
 * Keep the list sorted by name; per-CPU variables are declared like others.
 */
import { InquestError } from "../bytes/errors.ts";
import { parseDeclaration } from "../debug-info/c-declaration.ts";
import type { CType } from "../debug-info/c-type.ts";
import type { Types } from "./types.ts";

/** Source text, one declaration a line. */
export const DECLARATIONS = `
struct cpumask __cpu_online_mask;
struct cpumask __cpu_possible_mask;
struct cpumask __cpu_present_mask;
unsigned long __per_cpu_offset[];
struct list_head btf_modules;
note_buf_t *crash_notes;
struct pid_namespace init_pid_ns;
struct task_struct init_task;
struct uts_namespace init_uts_ns;
unsigned long jiffies;
u64 jiffies_64;
const char linux_banner[];
struct list_head modules;
unsigned long page_offset_base;
struct rq runqueues;
unsigned char *vmcoreinfo_data;
`;

let byName: Map<string, string[]> | undefined;

function declarations(): Map<string, string[]> {
  if (byName !== undefined) return byName;
  byName = new Map();
  for (const line of DECLARATIONS.split("\n")) {
    if (line === "") continue;
    const name = /(\w+)(?:\[[^\]]*\])*\)?(?:\([^)]*\))?;$/.exec(line)?.[1];
    if (name === undefined) throw new Error(`globals.ts: no name in "${line}"`);
    const list = byName.get(name);
    if (list === undefined) byName.set(name, [line]);
    else list.push(line);
  }
  return byName;
}

/** Names of all declared globals. */
export function globalNames(): readonly string[] {
  return [...declarations().keys()];
}

/** Type of a declared global in this dump; undefined when it is not declared here or none of its forms has all its types. */
export function globalType(name: string, types: Types): CType | undefined {
  for (const line of declarations().get(name) ?? []) {
    try {
      return parseDeclaration(line, types.sources).type;
    } catch (error) {
      if (!(error instanceof InquestError)) throw error;
    }
  }
  return undefined;
}
