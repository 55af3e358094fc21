/** Memory that nobody can give back: what it is, how much, how that was found, and whose it is. */
import type { Evidence, Verdict } from "../verdict.ts";

export interface Lost {
  /** "objects of ext4_fc_dentry_update", "areas of vmalloc()". */
  readonly what: string;
  /** The same in every dump of it: "slab conn_ctx". */
  readonly name: string;
  readonly pages: number;
  /** Drawn, and of those the ones that nothing refers to. */
  readonly drawn: number;
  readonly unheld: number;
  /** Others of the same kind, drawn in the same way, and those that nothing refers to: how often the search misses who holds them. */
  readonly others: number;
  readonly othersUnheld: number;
  /** All of the dump's memory could be looked at. */
  readonly whole: boolean;
  readonly owner?: {
    readonly function?: string;
    readonly module?: string;
    /** A sentence. */
    readonly text: string;
  };
  readonly object: NonNullable<Verdict["object"]>;
  readonly story: readonly string[];
  readonly evidence: readonly Evidence[];
}

/** Of those drawn. */
export const NEARLY_ALL = 0.9;
/** Fewer tell nothing. */
export const ENOUGH = 8;
/** Of all memory: below it nobody is accused. */
export const LARGE = 0.25;
