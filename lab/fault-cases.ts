/** Made cases of planted faults with their labels: what a diagnosis is scored on. */
import { type CachedCase, faultsInCache } from "./case-record.ts";
import { type FaultLabel, labelOn, type PlantedFault, plantedFaults } from "./faults/planted-fault.ts";

export interface FaultCase {
  readonly case: CachedCase;
  readonly fault: PlantedFault;
  /** As it holds on the case's kernel. */
  readonly label: FaultLabel;
}

/** The cases in the cache of the faults that are planted today. A case made before its module changed last is among them. */
export function faultCases(): FaultCase[] {
  const known = new Map(plantedFaults().map((fault) => [fault.name, fault]));
  return faultsInCache().flatMap((made) => {
    const fault = known.get(made.fault);
    return fault === undefined ? [] : [{ case: made, fault, label: labelOn(fault, made.kernel.id) }];
  });
}
