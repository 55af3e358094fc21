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
atomic_long_t _totalram_pages;
struct sk_buff_head audit_hold_queue;
struct sk_buff_head audit_queue;
struct sk_buff_head audit_retry_queue;
unsigned long avenrun[3];
struct list_head btf_modules;
struct latched_seq clear_seq;
u64 clear_seq;
unsigned int cpu_khz;
note_buf_t *crash_notes;
int crashing_cpu;
const char *dmi_ident[];
struct pid_namespace init_pid_ns;
struct task_struct init_task;
struct uts_namespace init_uts_ns;
volatile unsigned long jiffies;
u64 jiffies_64;
const char linux_banner[];
char *log_buf;
u32 log_buf_len;
struct list_head modules;
struct printk_safe_seq_buf nmi_print_seq;
unsigned int nr_cpu_ids;
unsigned int nr_node_ids;
int nr_threads;
int oops_in_progress;
unsigned long page_offset_base;
atomic_t panic_cpu;
int panic_on_oops;
int panic_timeout;
struct printk_ringbuffer *prb;
struct rq runqueues;
struct printk_safe_seq_buf safe_print_seq;
char *saved_command_line;
const sys_call_ptr_t sys_call_table[];
const syscall_fn_t sys_call_table[];
enum system_states system_state;
unsigned long tainted_mask;
const char *const task_state_array[];
struct tk_data timekeeper_data[];
struct tk_data tk_core;
unsigned char *vmcoreinfo_data;
`;

let known: ReadonlyMap<string, readonly string[]> | undefined;

function declarations(): ReadonlyMap<string, readonly string[]> {
  known ??= linesByName();
  return known;
}

function linesByName(): Map<string, string[]> {
  const byName = new Map<string, string[]>();
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
