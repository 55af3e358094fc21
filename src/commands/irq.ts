/** `irq`: interrupt lines, their handlers, where they go and how often they came. */
import { hex16 } from "../bytes/address.ts";
import { LookupError, UsageError } from "../bytes/errors.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { cpuMasks } from "../linux/cpu.ts";
import { attempt } from "../linux/gather.ts";
import { interruptGates, softirqActions } from "../linux/interrupt-gates.ts";
import { type IrqDescriptor, irqCount, irqCountOn, irqDescriptors } from "../linux/irq.ts";
import { type ArchitectureCount, architectureCounts } from "../linux/irq-counts.ts";
import { irqApi } from "./api/views.ts";
import type { ParsedArguments } from "./arguments.ts";
import { defineCommand, type Session } from "./command.ts";
import { parseCpuList } from "./support/cpu-list.ts";

/** An interrupt line: its chip, its handlers, the CPUs that it may go to. */
export interface IrqRow {
  readonly irq: number;
  /** struct irq_desc; absent: the number is not in use. */
  readonly address?: bigint;
  readonly chip?: string;
  readonly flow?: string;
  readonly hardwareIrq?: number;
  readonly level?: boolean;
  readonly actions: readonly { readonly address: bigint; readonly name: string; readonly handler: string; readonly thread?: bigint }[];
  readonly affinity?: readonly number[];
  /** -s: one a CPU. */
  readonly counts?: readonly number[];
}

export interface IrqResult {
  readonly view: "list" | "gates" | "softirqs" | "affinity" | "counts";
  readonly irqs?: readonly IrqRow[];
  readonly cpus?: readonly number[];
  readonly architecture?: readonly ArchitectureCount[];
  readonly gates?: readonly { readonly vector: number; readonly handler: bigint; readonly name: string }[];
  readonly softirqs?: readonly {
    readonly number: number;
    readonly name: string;
    readonly action: bigint;
    readonly function: string;
    readonly counts?: readonly number[];
  }[];
  readonly notes?: readonly string[];
}

export const irq = defineCommand<IrqResult>({
  spec: {
    name: "irq",
    summary: "interrupts",
    synopsis: ["[index… | -u | -d | -b | -a | -s [-c cpus]]"],
    description: [
      "Shows each interrupt number with its descriptor, its handlers and their names; a shared line has one row a handler.",
      "-s counts them as /proc/interrupts does, with the lines that belong to no interrupt number: local timer, IPIs, machine checks.",
    ],
    options: [
      { flag: "-u", help: "only numbers that are in use" },
      { flag: "-d", help: "the interrupt descriptor table (x86-64)" },
      { flag: "-b", help: "the functions of the softirqs" },
      { flag: "-a", help: "the CPUs that each interrupt may go to" },
      { flag: "-s", help: "how often each came, by CPU" },
      { flag: "-c", argument: "cpus", help: "with -s: these CPUs" },
    ],
    operands: ["number"],
    examples: [
      ["irq -u", "interrupts in use"],
      ["irq -s", "counts by CPU"],
      ["irq 4", "one interrupt"],
    ],
    differences: [
      "-s shows the machine's own lines (LOC, RES, CAL, TLB, IPI0 …) too.",
      "All handlers of a shared line are named.",
      "The JSON of -b counts the softirqs by CPU.",
    ],
  },
  run(session, args) {
    const { kernel } = session;
    if (args.operands.length > 0 && ["-d", "-b", "-a", "-s"].some((flag) => args.has(flag)))
      throw new UsageError(`irq: "${args.operands[0]}" is not expected: interrupts are chosen without options`);
    if (args.has("-c") && !args.has("-s")) throw new UsageError("irq: -c goes with -s");
    const view = args.has("-d") ? "gates" : args.has("-b") ? "softirqs" : args.has("-a") ? "affinity" : args.has("-s") ? "counts" : "list";
    if (view === "gates") {
      const gates = interruptGates(kernel).map(({ vector, handler }) => ({ vector, handler, name: decimalLabel(kernel, handler) }));
      return { view, gates };
    }
    if (view === "softirqs") {
      const softirqs = softirqActions(kernel, cpuMasks(kernel).present).map(({ number, name, action, counts }) => {
        const called = action === 0n ? "" : (kernel.symbolize(action) ?? "unknown");
        return { number, name, action, function: called, ...(counts === undefined ? {} : { counts }) };
      });
      return { view, softirqs };
    }
    const notes: string[] = [];
    const result = lines(session, args, view, notes);
    return { view, ...result, ...(notes.length === 0 ? {} : { notes }) };
  },
  api: irqApi,
  *text(result) {
    const { view, irqs = [], gates = [], softirqs = [], notes = [] } = result;
    if (view === "gates") for (const { vector, name } of gates) yield `${`[${vector}]`.padStart(5)} ${name}`;
    else if (view === "softirqs") {
      yield "SOFTIRQ_VEC      ACTION     ";
      for (const each of softirqs) yield `    ${`[${each.number}]`.padEnd(7)} ${hex16(each.action)}  <${each.function}>`;
    } else if (view === "affinity") yield* affinityLines(irqs);
    else if (view === "counts") yield* countLines(result);
    else yield* listLines(irqs);
    for (const note of notes) yield `(${note})`;
  },
});

function lines(session: Session, args: ParsedArguments, view: IrqResult["view"], notes: string[]): Partial<IrqResult> {
  const { kernel } = session;
  const descriptors = irqDescriptors(kernel, notes);
  const byNumber = new Map(descriptors.map((descriptor) => [descriptor.irq, descriptor]));
  if (view === "list") {
    const total = Math.max(irqCount(kernel) ?? 0, (descriptors.at(-1)?.irq ?? -1) + 1);
    if (args.operands.length > 0) {
      const numbers = args.operands.map((text) => irqNumber(text, total));
      return { irqs: numbers.map((number) => irqRow(kernel, number, byNumber.get(number))) };
    }
    if (args.has("-u")) return { irqs: descriptors.map((each) => irqRow(kernel, each.irq, each)) };
    // Numbers beyond the highest in use are listed up to the kernel's own bound, as long as that is one a person could read.
    const shown = Math.min(total, 1 << 16);
    return { irqs: Array.from({ length: shown }, (_, number) => irqRow(kernel, number, byNumber.get(number))) };
  }
  const used = descriptors.filter(({ actions, hidden }) => actions.length > 0 && !hidden);
  if (view === "affinity") return { irqs: used.map((each) => irqRow(kernel, each.irq, each)) };
  const { present, possible } = cpuMasks(kernel);
  const chosen = args.value("-c");
  const cpus = chosen === undefined ? present : parseCpuList(chosen, possible);
  const irqs = used.map((each) => {
    const counts = attempt(() => cpus.map((cpu) => irqCountOn(kernel, each.address, cpu)), notes, `IRQ ${each.irq}, kstat_irqs`);
    return { ...irqRow(kernel, each.irq, each), ...(counts === undefined ? {} : { counts }) };
  });
  return { irqs, cpus, architecture: architectureCounts(kernel, cpus, notes) };
}

function irqNumber(text: string, total: number): number {
  if (!/^\d{1,9}$/.test(text)) throw new UsageError(`irq: "${text}" is no interrupt number`);
  const number = Number(text);
  if (number >= total) throw new LookupError(`irq: invalid IRQ value: ${number}  (${total - 1} max)`);
  return number;
}

function irqRow(kernel: Kernel, irq: number, descriptor: IrqDescriptor | undefined): IrqRow {
  if (descriptor === undefined) return { irq, actions: [] };
  const { address, chip, flow, hardwareIrq, level, affinity, actions } = descriptor;
  return {
    irq,
    address,
    ...(chip === undefined ? {} : { chip }),
    ...(flow === undefined ? {} : { flow }),
    ...(hardwareIrq === undefined ? {} : { hardwareIrq }),
    level,
    ...(affinity === undefined ? {} : { affinity }),
    actions: actions.map(({ address: at, name, handler, thread }) => {
      return { address: at, name, handler: kernel.symbolize(handler) ?? hex16(handler), ...(thread === undefined ? {} : { thread }) };
    }),
  };
}

/** `irq_entries_start+16`: crash gives these offsets in decimal. */
function decimalLabel(kernel: Kernel, address: bigint): string {
  const found = kernel.symbols.byAddress(address as never);
  if (found === undefined) return address === 0n ? "(unused)" : hex16(address);
  return `${found.symbol.name}${found.offset === 0 ? "" : `+${found.offset}`}`;
}

function* listLines(irqs: readonly IrqRow[]): Iterable<string> {
  yield " IRQ   IRQ_DESC/_DATA      IRQACTION      NAME";
  const unused = centre("(unused)", 16);
  for (const { irq: number, address, actions } of irqs) {
    const head = `${centre(String(number), 5)} ${address === undefined ? unused : hex16(address)}`;
    if (actions.length === 0) yield `${head}  ${unused}  `;
    for (const [i, action] of actions.entries()) {
      yield `${i === 0 ? head : " ".repeat(22)}  ${hex16(action.address)}  "${action.name}"`;
    }
  }
}

function* affinityLines(irqs: readonly IrqRow[]): Iterable<string> {
  yield "IRQ NAME                 AFFINITY";
  for (const { irq: number, actions, affinity } of irqs) {
    const names = actions.map(({ name }) => name).join(",");
    yield `${String(number).padStart(3)} ${names.padEnd(20)} ${affinity === undefined ? "(no mask)" : rangeText(affinity)}`;
  }
}

function* countLines({ irqs = [], cpus = [], architecture = [] }: IrqResult): Iterable<string> {
  yield `     ${cpus.map((cpu) => `CPU${cpu}`.padStart(10)).join(" ")} `;
  // crash's columns, wider where a chip of arm64 has a long name ("ITS-PCI-MSIX-0000:00:01.0").
  const chipWidth = irqs.reduce((width, { chip = "" }) => Math.max(width, chip.length), 8);
  for (const { irq: number, counts, chip, flow, level, actions } of irqs) {
    const cells = (counts === undefined ? "(unreadable)" : counts.map((count) => String(count).padStart(10)).join(" ")).padEnd(
      11 * cpus.length - 1,
    );
    const kind = `${(chip ?? "None").padStart(chipWidth)}-${(flow ?? (level === true ? "Level" : "Edge")).padEnd(8)}`;
    yield `${String(number).padStart(3)}: ${cells} ${kind} ${actions.map(({ name }) => name).join(", ")}`;
  }
  for (const { label, text, counts } of architecture) {
    yield `${label.padStart(3)}: ${counts.map((count) => String(count).padStart(10)).join(" ")}  ${text}`.trimEnd();
  }
}

/** "0-3,5", as the kernel writes lists of CPUs. */
function rangeText(cpus: readonly number[]): string {
  const parts: string[] = [];
  for (let i = 0; i < cpus.length; i++) {
    const first = cpus[i] as number;
    let last = first;
    while (cpus[i + 1] === last + 1) last = cpus[++i] as number;
    parts.push(first === last ? String(first) : `${first}-${last}`);
  }
  return parts.join(",");
}

function centre(text: string, width: number): string {
  const left = Math.floor(Math.max(0, width - text.length) / 2);
  return text.padStart(text.length + left).padEnd(width);
}
