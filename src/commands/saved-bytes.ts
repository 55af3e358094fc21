/**
 * What a result wants written to a file (`rd -r`, `gcore`, `bt --flame`, `net --pcap`): commands answer with content and a name, and only
 * a face touches files.
 *
 *   result = { …, save: savedBytes("out.bin", bytes) }            known as a whole
 *   result = { …, save: savedChunks("core.1", function* () {…}) }  made while it is written; a number skips so many bytes (a hole)
 *
 * In JSON only the file's name and, where it is known, the length stay. The face writes before text() is asked, so that text() may tell
 * what the writing found (counters that the chunks' generator keeps).
 */

/** A number is a hole of so many bytes: they read as zeroes and take no room. */
export type SavedChunk = Uint8Array | number;

export interface SavedBytes {
  readonly file: string;
  /** To be written one after another; asked for once. */
  readonly chunks: () => Iterable<SavedChunk>;
  readonly length?: number;
  toJSON(): { readonly file: string; readonly length?: number };
}

/** A file whose content is at hand. */
export function savedBytes(file: string, bytes: Uint8Array): SavedBytes {
  const { length } = bytes;
  return { file, length, chunks: () => [bytes], toJSON: () => ({ file, length }) };
}

/** A file whose content is made as it is written: memory stays small and Ctrl-C ends it. */
export function savedChunks(file: string, chunks: () => Iterable<SavedChunk>): SavedBytes {
  return { file, chunks, toJSON: () => ({ file }) };
}
