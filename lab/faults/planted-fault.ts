/**
 * A planted fault: one module that dies as a real driver would, and its label, the truth that a diagnosis is held against.
 *
 *   lab/faults/NAME/fault.json    PlantedFault
 *   lab/faults/NAME/NAME.c        the module (GPL-2.0); headers beside it when it wants any
 *
 * The module's cases are hashed over its own directory alone: a change in one makes no other case stale. The kernel brings modules of its
 * own that crash it in many ways (drivers/misc/lkdtm, lib/test_lockup.c); of such a module there is a family, not one source of which is here:
 *
 *   lab/faults/MODULE/faults.json    FaultFamily
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import type { VerdictClass } from "../../src/diagnosis/verdict.ts";
import type { Arch } from "../kernels.ts";
import { labSource } from "../paths.ts";

/** What is really wrong. What a label leaves out is not judged; where two answers are right, both are named. */
export interface FaultLabel {
  /** The first is the best answer; the others are as true, for the reason in `why`. */
  readonly class: readonly VerdictClass[];
  /** Functions that may be named as the place; compilers inline and clone, so more than one. Empty: the place is not judged. */
  readonly function: readonly string[];
  readonly module?: string;
  /** "lab_ring.consumed": type (without struct) and member that the bad access or the bad value is of. */
  readonly member?: readonly string[];
  /** Type or slab cache of the object that matters. */
  readonly object?: { readonly type?: readonly string[]; readonly cache?: readonly string[] };
  /** Comms of the tasks in a circle of locks, or of the holder at a chain's root; `*` stands for what is different every time (kworker/*). */
  readonly participants?: readonly string[];
  /** One sentence: the root of it, for whoever reads the score. */
  readonly root: string;
  /** Why more than one class, function or member is right. */
  readonly why?: string;
}

/** A module of the kernel's own source, which Debian does not build. */
export interface KernelModuleSource {
  /** In the kernel's tree: a directory with a makefile, or one file. */
  readonly path: string;
  /** Arguments of make: of a directory the setting that its makefile asks for, and what a kernel built without it does not export. */
  readonly settings?: readonly string[];
}

export interface PlantedFault {
  /** Of the directory and the module: letters, digits, underscores. One of a family is MODULE-WHAT. */
  readonly name: string;
  /** The module, when it is not called as the fault is. */
  readonly module?: string;
  /** Where the module's source is, when not in the fault's directory. */
  readonly source?: KernelModuleSource;
  readonly about: string;
  /** Shell that brings the end about; default: `echo 1 > /sys/module/NAME/parameters/trigger`. */
  readonly trigger?: string;
  readonly before?: string;
  readonly after?: string;
  /** Arguments of insmod. */
  readonly parameters?: string;
  /** More of the kernel's own modules, loaded before. */
  readonly drivers?: readonly string[];
  readonly append?: string;
  readonly memoryMiB?: number;
  readonly injectNmi?: boolean;
  /** Devices that the machine has beside the usual ones, as QEMU's -device takes them. */
  readonly devices?: readonly string[];
  /** Commands to the hypervisor's monitor once the trigger was pulled. */
  readonly monitor?: readonly string[];
  readonly archs?: readonly Arch[];
  /** Kernels (ids as in kernels.ts) on which it dies as meant; all of the matrix when absent. */
  readonly kernels?: readonly string[];
  /** Leave its BTF away, as many third-party modules have none. */
  readonly withoutBtf?: true;
  /** A regular expression: what the console says of the end. Default: a fatal exception. */
  readonly panic?: string;
  readonly label: FaultLabel;
  /** What is different for an architecture ("arm64"), a release ("5.10") or a kernel ("6.1-arm64"); the most special one wins. */
  readonly labels?: Readonly<Record<string, Partial<FaultLabel>>>;
}

/** The many faults of one module. */
interface FaultFamily {
  readonly module: string;
  readonly source: KernelModuleSource;
  /** Of all of them, where they do not say otherwise. */
  readonly common: Partial<PlantedFault>;
  readonly faults: readonly PlantedFault[];
}

function faultsIn(directory: string): readonly PlantedFault[] {
  const read = (name: string): unknown => {
    const path = labSource("faults", directory, name);
    return existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) : undefined;
  };
  const single = read("fault.json") as PlantedFault | undefined;
  const family = read("faults.json") as FaultFamily | undefined;
  const { module, source, common, faults = [] } = family ?? {};
  const members = faults.map((fault) => ({ ...common, ...fault, ...(module !== undefined && { module }), ...(source && { source }) }));
  return single === undefined ? members : [single, ...members];
}

/** All planted faults, by name. */
export function plantedFaults(): readonly PlantedFault[] {
  return readdirSync(labSource("faults"), { withFileTypes: true })
    .flatMap((entry) => (entry.isDirectory() ? faultsIn(entry.name) : []))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** What insmod loads. */
export function moduleOf(fault: PlantedFault): string {
  return fault.module ?? fault.name;
}

/** The label of a fault on a kernel such as "6.1-arm64". */
export function labelOn(fault: PlantedFault, kernelId: string): FaultLabel {
  const [release = "", arch = ""] = kernelId.split("-");
  return { ...fault.label, ...fault.labels?.[arch], ...fault.labels?.[release], ...fault.labels?.[kernelId] };
}
