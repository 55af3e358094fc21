/** The cases the lab can make: every kernel with every scenario, by the hypervisor or by real kdump; and which of them CI makes. */
import { BUILT_KERNELS, isBuilt } from "./built-kernels.ts";
import { faultPlans } from "./fault-plans.ts";
import type { PlantedFault } from "./faults/planted-fault.ts";
import { isRolling, KERNELS, type KernelChoice } from "./kernels.ts";
import { SCENARIOS, type Scenario } from "./scenarios.ts";

export interface CasePlan {
  readonly id: string;
  readonly kernel: KernelChoice;
  readonly scenario: Scenario;
  readonly capture: "hypervisor" | "kdump";
  /** Made by `lab make` without arguments, and what `lab test` needs. */
  readonly inMatrix: boolean;
  /** Every format there is, not only the usual ones. */
  readonly everyFormat: boolean;
  /** Its guest has this module and little else: see fault-guest.ts. */
  readonly fault?: PlantedFault;
  /** When not the usual two. */
  readonly cpus?: number;
  /** A pattern for cases takes it only when this occurs in the pattern itself. */
  readonly onlyByName?: string;
}

/** Scenario and capture of the matrix: between them every dump format. */
const MATRIX: readonly (readonly [scenario: string, capture: CasePlan["capture"]])[] = [
  ["null", "hypervisor"],
  ["bare", "hypervisor"],
  ["timer", "kdump"],
];

/** Kernels whose `views` are in the matrix. */
const VIEWS_IN_MATRIX: readonly string[] = ["5.10-amd64", "6.1-amd64", "6.1-arm64", "6.12-amd64", "6.12-arm64"];
/** Waits for locks whose graph is known from the lab's module. */
const WAITS_IN_MATRIX: readonly string[] = ["6.1-arm64-hung", "6.12-amd64-rwsem"];

function plan(kernel: KernelChoice, scenario: Scenario, capture: CasePlan["capture"]): CasePlan {
  const inAll = MATRIX.some(([name, how]) => name === scenario.name && how === capture);
  return {
    id: capture === "kdump" ? `${kernel.id}-kdump-${scenario.name}` : `${kernel.id}-${scenario.name}`,
    kernel,
    scenario,
    capture,
    inMatrix: isBuilt(kernel)
      ? kernel.inMatrix.includes(scenario.name)
      : scenario.name === "views"
        ? capture === "hypervisor" && VIEWS_IN_MATRIX.includes(kernel.id)
        : (capture === "hypervisor" && WAITS_IN_MATRIX.includes(`${kernel.id}-${scenario.name}`)) ||
          (inAll && !isRolling(kernel) && kernel.flavour.startsWith("cloud")),
    everyFormat: inAll && !isBuilt(kernel),
  };
}

function fits(kernel: KernelChoice, scenario: Scenario): boolean {
  if (scenario.kernels !== undefined && !scenario.kernels.includes(kernel.id)) return false;
  return scenario.archs === undefined || scenario.archs.includes(kernel.arch);
}

/** Every case there could be. */
export function allCases(): CasePlan[] {
  const usual = [...KERNELS, ...BUILT_KERNELS].flatMap((kernel) =>
    SCENARIOS.filter((scenario) => fits(kernel, scenario)).flatMap((scenario) => {
      const hypervisor = plan(kernel, scenario, "hypervisor");
      // A scenario with disks of its own is the hypervisor's. Without VMCOREINFO kdump has nothing to go by; an NMI from outside is the hypervisor's to send in both.
      // The lab's own kernels cannot be crash kernels: they lack what writing a dump takes.
      return scenario.withoutVmcoreinfo || scenario.slowDisk !== undefined || isBuilt(kernel)
        ? [hypervisor]
        : [hypervisor, plan(kernel, scenario, "kdump")];
    }),
  );
  return [...usual, ...faultPlans()];
}

/** A case by its id. */
export function caseNamed(id: string): CasePlan {
  const found = allCases().find((candidate) => candidate.id === id);
  if (found === undefined) throw new Error(`no case is called ${id}; see "lab list --all"`);
  return found;
}

/** Cases by suite, architecture and id (`*` matches anything); without any of them the matrix. */
export function selectCases(filter: { readonly suite?: string; readonly arch?: string; readonly ids?: readonly string[] }): CasePlan[] {
  const patterns = (filter.ids ?? []).map((id) => ({
    id,
    pattern: new RegExp(`^${id.replaceAll(".", "\\.").replaceAll("*", ".*")}$`),
  }));
  return allCases().filter((candidate) => {
    if (filter.arch !== undefined && candidate.kernel.arch !== filter.arch) return false;
    const suite = isBuilt(candidate.kernel) ? "built" : candidate.kernel.suite;
    if (filter.suite !== undefined && suite !== filter.suite) return false;
    if (patterns.length > 0) {
      const named = new RegExp(candidate.onlyByName ?? "");
      return patterns.some(({ id, pattern }) => named.test(id) && pattern.test(candidate.id));
    }
    if (filter.suite === "built") return isBuilt(candidate.kernel) && candidate.kernel.scenarios.includes(candidate.scenario.name);
    return candidate.inMatrix || (filter.suite !== undefined && isRolling(candidate.kernel) && candidate.everyFormat);
  });
}
