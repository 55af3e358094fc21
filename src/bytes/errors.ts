/**
 * The one error family of Inquest. Each says what was expected, what was found and where, in one line.
 * Commands catch these per line of output; anything else thrown is a bug of ours.
 */

/** Base of all errors that a user may see as one line. */
export abstract class InquestError extends Error {
  /** Stable word for `--json`. */
  abstract readonly kind: string;
}

/** A file or a table in the dump does not have the form it claims. */
export class FormatError extends InquestError {
  readonly kind = "format";
  readonly file: string;
  readonly offset: number | undefined;
  /** @param file name of the file or table; @param what expected and found; @param offset byte offset within it, if one place is to blame */
  constructor(file: string, what: string, offset?: number) {
    super(offset === undefined ? `${file}: ${what}` : `${file}: at byte ${offset} (0x${offset.toString(16)}): ${what}`);
    this.file = file;
    this.offset = offset;
  }
}

/**
 * Why a read of memory failed. Different answers, never merged:
 * - excluded: the page exists on the machine, and makedumpfile or the hypervisor left it out of the dump;
 * - truncated: the page belongs to the dump, and the file ends before it;
 * - unmapped: the page tables have no entry for the address;
 * - absent: no RAM at that physical address (beyond the dump);
 * - corrupt: the page is there and cannot be decoded;
 * - optimized out: no memory at all: a part of a variable that the compiler kept nowhere.
 */
export type FaultReason = "excluded" | "truncated" | "unmapped" | "absent" | "corrupt" | "optimized out";

const REASON_TEXT: Record<FaultReason, string> = {
  excluded: "its page was left out of the dump",
  truncated: "the dump file ends before its page",
  unmapped: "not mapped",
  absent: "no memory at that address in the dump",
  corrupt: "its page cannot be decoded",
  "optimized out": "optimized out",
};

/** Memory that could not be read. */
export class FaultError extends InquestError {
  readonly kind = "fault";
  readonly address: bigint;
  readonly space: "virtual" | "physical";
  readonly reason: FaultReason;
  /** More about the reason, e.g. the page-table level that ended the walk. */
  readonly detail: string | undefined;
  constructor(address: bigint, space: "virtual" | "physical", reason: FaultReason, detail?: string) {
    super(
      `${space} address ${address.toString(16).padStart(16, "0")}: ${REASON_TEXT[reason]}${detail === undefined ? "" : ` (${detail})`}`,
    );
    this.address = address;
    this.space = space;
    this.reason = reason;
    this.detail = detail;
  }
}

/** A symbol, type, member, task or command that does not exist. */
export class LookupError extends InquestError {
  readonly kind = "lookup";
  readonly what: string;
  readonly nearest: readonly string[];
  /** @param what the whole sentence, e.g. `no type named "sock_flow" in this dump`; @param nearest similar names that do exist */
  constructor(what: string, nearest: readonly string[] = []) {
    super(nearest.length === 0 ? what : `${what} (nearest: ${nearest.join(", ")})`);
    this.what = what;
    this.nearest = nearest;
  }
}

/** A kernel structure in the dump breaks its own invariant. */
export class CorruptionError extends InquestError {
  readonly kind = "corruption";
  readonly structure: string;
  readonly address: bigint;
  /** @param structure e.g. `list_head`; @param invariant the rule and how it is broken; @param address where; @param cause what was met there */
  constructor(structure: string, invariant: string, address: bigint, cause?: Error) {
    super(`${structure} at ${address.toString(16).padStart(16, "0")}: ${invariant}`, cause === undefined ? {} : { cause });
    this.structure = structure;
    this.address = address;
  }
}

/** Whether something could not be read because its page was left out of the dump: unknown, and no damage. */
export function isLeftOut(error: unknown): boolean {
  return error instanceof FaultError ? error.reason === "excluded" : error instanceof CorruptionError && isLeftOut(error.cause);
}

/** A command line that cannot be understood. */
export class UsageError extends InquestError {
  readonly kind = "usage";
}

/** Something this dump, or this version of Inquest, cannot give; the text says what would help. */
export class UnsupportedError extends InquestError {
  readonly kind = "unsupported";
}
