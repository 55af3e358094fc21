/**
 * Two dumps side by side: release, panic, modules and their taints, and which functions the panicking stacks share from the outside in.
 * Are these the same crash?
 *
 *   inquest script examples/compare-dumps.ts vmcore.1 -- vmcore.2
 */
import { type Kernel, openDump } from "inquest";

function facts(kernel: Kernel): Record<string, string> {
  const { release, machine, cpus, panic, taints } = kernel.system;
  return { release, machine, cpus: String(cpus), panic: panic ?? "none", taints: taints ?? "unknown" };
}

const modulesOf = (kernel: Kernel): ReadonlySet<string> => new Set(kernel.modules.map(({ name }) => name));

/** Functions of the panicking stack, innermost first. */
function functions(kernel: Kernel): readonly string[] {
  return kernel.panicTask?.stack().frames.map((frame) => frame.function ?? "?") ?? [];
}

/** How many of the outermost functions are the same. */
function shared(a: readonly string[], b: readonly string[]): number {
  let count = 0;
  while (count < Math.min(a.length, b.length) && a.at(-1 - count) === b.at(-1 - count)) count++;
  return count;
}

export default async function (first: Kernel, args: readonly string[]): Promise<string> {
  const [path] = args;
  if (path === undefined) throw new Error("the second dump is missing: … vmcore.1 -- vmcore.2");
  const second = await openDump(path);
  try {
    const [a, b] = [facts(first), facts(second)];
    const lines = Object.keys(a).flatMap((key) =>
      a[key] === b[key] ? [`  ${key}: ${a[key]}`] : [`< ${key}: ${a[key]}`, `> ${key}: ${b[key]}`],
    );
    const [ours, theirs] = [modulesOf(first), modulesOf(second)];
    const only = (some: ReadonlySet<string>, others: ReadonlySet<string>) => [...some].filter((name) => !others.has(name)).sort();
    lines.push(`< modules: ${only(ours, theirs).join(" ") || "-"}`, `> modules: ${only(theirs, ours).join(" ") || "-"}`);
    const [inner, outer] = [functions(first), functions(second)];
    const count = shared(inner, outer);
    lines.push(`  the ${count} outermost of ${inner.length} and ${outer.length} frames are the same`);
    lines.push(`< ${inner[inner.length - count - 1] ?? "-"}`, `> ${outer[outer.length - count - 1] ?? "-"}`);
    return lines.join("\n");
  } finally {
    second.close();
  }
}
