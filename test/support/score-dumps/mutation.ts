/** One mutation of a healthy dump: other bytes, and what is right to say of them. Which there are: damage.ts, harmless.ts. */
import type { VirtualAddress } from "../../../src/bytes/address.ts";
import type { VerdictClass } from "../../../src/diagnosis/verdict.ts";
import type { Edit } from "./overlay.ts";

/** What a diagnosis of a mutated dump is held against. */
export interface MutationLabel {
  /** The first is the best answer, the others are as true. "deliberate": nothing is wrong. */
  readonly class: readonly VerdictClass[];
  /** type.member of the damaged word; a longer or shorter path to the same word is as right ("task_struct.tasks" for tasks.next). */
  readonly member?: readonly string[];
  /** Cache of the object. */
  readonly cache?: string;
  /** Addresses, of which the verdict must name one: the object, the damaged word. */
  readonly addresses?: readonly bigint[];
  /** Whose lock it is. */
  readonly module?: string;
  /** pids of the tasks in a circle of locks. */
  readonly pids?: readonly number[];
}

export interface Mutation {
  /** "bit-flip", "text", "poison", "freelist", "refcount", "lock-cycle", "text-flip", with "-queues" when of queue-sites.ts; "harmless-…". */
  readonly kind: string;
  /** In words, for whoever reads the score. */
  readonly what: string;
  readonly edits: readonly Edit[];
  readonly label: MutationLabel;
  /** Where the damage is; for people. */
  readonly at: VirtualAddress;
  /** Only a vmlinux can tell. */
  readonly needsVmlinux?: true;
}
