/**
 * All that is known of one fault before anything is concluded: what every detector is given.
 *
 *   log ─► subject ─► registers at the fault ─► operand that faulted ─► where its bad value came from ─► identities of all addresses
 */
import { InquestError } from "../../bytes/errors.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { AddressIdentity } from "../../linux/address-identity.ts";
import type { EventFamily } from "../subject/log-events.ts";
import { type Subject, subjectOf } from "../subject/subject.ts";
import type { Access } from "../verdict.ts";
import type { Activation, Activations } from "./activation.ts";
import { blame } from "./blame.ts";
import { type FaultState, faultState } from "./cpu-state.ts";
import { type FaultingAccess, faultingAccess } from "./faulting-access.ts";
import type { Helper } from "./helper-functions.ts";
import type { KnownValues } from "./known-values.ts";
import { withEntry } from "./lost-entry.ts";
import type { ValueOrigin } from "./origin-step.ts";
import { checkedAccess } from "./shadow-fault.ts";
import type { StringMove } from "./string-move.ts";
import { tracedCalls } from "./traced-calls.ts";
import { withWalk } from "./walked-chain.ts";

/** The value to blame: a pointer of the faulting address, or the target of a call. */
export interface BadValue {
  readonly value: bigint;
  /** Register that held it, at the activation of that level. */
  readonly register?: string;
  readonly level: number;
  /** Bytes from it to the address that faulted. */
  readonly offset: bigint;
  readonly identity: AddressIdentity;
  readonly origin?: ValueOrigin;
}

/** What was accessed, typed as far as it can be. */
export interface AccessPath {
  readonly access: Access;
  readonly address: bigint;
  readonly container?: string;
  readonly member?: string;
  /** From the container's start. */
  readonly offset?: bigint;
  /** The base in C, as the code has it: "request->segment", or a variable of the debug information. */
  readonly base?: string;
  /** Start of the container, where that is not the bad value. */
  readonly object?: bigint;
  /** It was a step of a copy or a fill, which began at the bad value. */
  readonly copy?: StringMove;
}

export interface FaultCase {
  readonly kernel: Kernel;
  readonly subject: Subject;
  readonly state: FaultState;
  readonly access: FaultingAccess;
  readonly activations: Activations;
  readonly values: KnownValues;
  /** The function to blame: the fault's own, or the caller of a helper. */
  readonly guilty: Activation;
  /** Place of it among the activations. */
  readonly guiltyLevel: number;
  /** The helper that the fault was in. */
  readonly helper?: Helper;
  readonly bad?: BadValue;
  readonly path?: AccessPath;
}

export interface NoFault {
  readonly subject: Subject;
  /** Why there is no fault to look into. */
  readonly reason: string;
  /** There may be one: damage in the way of it is the reason. */
  readonly defeated?: true;
}

/** What is known before a value is blamed. */
export type Parts = Pick<FaultCase, "kernel" | "subject" | "state" | "access" | "activations" | "values">;

/** Looks into the fault that a dump died of; once per dump. The machine's disassembler must have been loaded. */
export function faultCase(kernel: Kernel): FaultCase | NoFault {
  return kernel.memo(faultCase, () => faultCaseOf(kernel, subjectOf(kernel)));
}

/** Families of events whose CPU state tells something: a stalled CPU is not where the trouble is. */
const FAULTS: ReadonlySet<EventFamily> = new Set(["fault", "assertion", "corruption", "warning"]);

/** The same of a subject that was found in another way, or is not to be looked for in the log. */
export function faultCaseOf(kernel: Kernel, subject: Subject): FaultCase | NoFault {
  const { event } = subject;
  if (event?.family === "deliberate") return { subject, reason: `the crash was asked for: ${event.text}` };
  if (event !== undefined && !FAULTS.has(event.family)) return { subject, reason: `nothing faulted: ${event.text}` };
  try {
    const state = faultState(kernel, subject);
    return "reason" in state ? { subject, reason: state.reason } : faultCaseAt(kernel, subject, state);
  } catch (error) {
    // The log's report may still tell, and other detectors.
    if (error instanceof InquestError) return { subject, reason: `the fault could not be looked into: ${error.message}`, defeated: true };
    throw error;
  }
}

/** The same of registers that are known. */
export function faultCaseAt(kernel: Kernel, subject: Subject, state: FaultState): FaultCase {
  const { activations, values } = tracedCalls(kernel, state, subject.cpu, subject.task?.address);
  const fault = activations.at(0) as Activation;
  const access = checkedAccess(kernel, faultingAccess(kernel, state, fault, activations.at(1), subject.cpu), fault);
  const parts = { kernel, subject, state, access, activations, values };
  const blamed = blame(parts, fault);
  const bad = blamed.bad === undefined ? undefined : withWalk(parts, withEntry(parts, blamed.bad, blamed.path));
  return { ...parts, ...blamed, ...(bad === undefined ? {} : { bad }) };
}
