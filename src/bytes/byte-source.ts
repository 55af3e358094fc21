/** Where bytes come from: a file, memory, a browser File. Reads are synchronous; one file per platform implements this. */
export interface ByteSource {
  /** File name as the user gave it; used in error messages. */
  readonly name: string;
  /** Size in bytes; Number.MAX_SAFE_INTEGER-bounded. Live files such as /proc/kcore may report less than they hold. */
  readonly size: number;
  /**
   * Reads up to `target.length` bytes at `offset` into `target`; returns how many were there (less only at the end of the file).
   * Throws FormatError on an I/O error.
   */
  readInto(target: Uint8Array, offset: number): number;
  close(): void;
}
