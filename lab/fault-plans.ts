/** The cases of planted faults (lab/faults): one death each, by the hypervisor, with one small dump. */
import type { CasePlan } from "./cases.ts";
import { moduleOf, type PlantedFault, plantedFaults } from "./faults/planted-fault.ts";
import { isRolling, KERNELS, type KernelChoice } from "./kernels.ts";
import type { Scenario } from "./scenarios.ts";

/** What CI makes of them: each kernel twice, and faults of different kinds. */
const IN_MATRIX: readonly string[] = [
  "5.10-amd64-fault-assocs",
  "5.10-amd64-fault-msgslot",
  "5.10-arm64-fault-descpool",
  "5.10-arm64-fault-vtap",
  "6.1-amd64-fault-nfowner",
  "6.1-amd64-fault-usbcap",
  "6.1-arm64-fault-encl_bay",
  "6.1-arm64-fault-nametab",
  "6.12-amd64-fault-dmacookie",
  "6.12-amd64-fault-flowtab",
  "6.12-arm64-fault-ledtab",
  "6.12-arm64-fault-sesstab",
];

/** Cloud flavours; those of sid only when a pattern asks for them by name. */
const FAULT_KERNELS: readonly KernelChoice[] = KERNELS.filter(({ flavour }) => flavour.startsWith("cloud"));

/** Beside the usual two CPUs. */
const MANY_CPUS = 4;

function scenarioOf(fault: PlantedFault): Scenario {
  const { name, about, trigger, parameters, panic, memoryMiB, before, after, drivers, append, injectNmi, devices, monitor, archs } = fault;
  return {
    name: `fault-${name}`,
    about,
    modules: [parameters === undefined ? moduleOf(fault) : `${moduleOf(fault)} ${parameters}`],
    trigger: trigger ?? `echo 1 > /sys/module/${name}/parameters/trigger`,
    memoryMiB: memoryMiB ?? 192,
    // Zero pages are few, so that pages squeezed one by one are a third of an ELF file with its holes dug.
    formats: ["kdump-zlib"],
    panic: new RegExp(panic ?? "Fatal exception"),
    ...(before !== undefined && { before }),
    ...(after !== undefined && { after }),
    ...(drivers !== undefined && { drivers }),
    ...(append !== undefined && { append }),
    ...(injectNmi !== undefined && { injectNmi }),
    ...(devices !== undefined && { devices }),
    ...(monitor !== undefined && { monitor }),
    ...(archs !== undefined && { archs }),
  };
}

function fits(kernel: KernelChoice, fault: PlantedFault): boolean {
  return (fault.kernels?.includes(kernel.id) ?? true) && (fault.archs?.includes(kernel.arch) ?? true);
}

/** Every case of a planted fault there could be. */
export function faultPlans(): CasePlan[] {
  return plantedFaults().flatMap((fault) => {
    const scenario = scenarioOf(fault);
    return FAULT_KERNELS.filter((kernel) => fits(kernel, fault)).flatMap((kernel): CasePlan[] => {
      const id = `${kernel.id}-fault-${fault.name}`;
      const plan = { id, kernel, scenario, fault, capture: "hypervisor", inMatrix: IN_MATRIX.includes(id), everyFormat: false } as const;
      const askedFor = isRolling(kernel);
      return [
        { ...plan, ...(askedFor && { onlyByName: kernel.suite }) },
        { ...plan, id: `${id}-smp${MANY_CPUS}`, cpus: MANY_CPUS, inMatrix: false, onlyByName: askedFor ? `${kernel.suite}.*smp` : "smp" },
      ];
    });
  });
}
