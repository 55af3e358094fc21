/**
 * Whether a vmlinux belongs to the dump: its GNU build-id against VMCOREINFO's BUILD-ID (kernels 5.9 and newer, 0935288c6e00), else its
 * `Linux version` release. The file's debug information is not read yet; the check keeps a wrong file from being trusted later.
 */
import { UsageError } from "../../bytes/errors.ts";
import { openFile } from "../../bytes/file-source.ts";
import { readExactly, readUpTo } from "../../bytes/read-bytes.ts";
import { ELF_HEADER_SIZE, parseElfHeader } from "../../dump/elf-header.ts";
import { parseNotes } from "../../dump/elf-notes.ts";
import { PT_NOTE, readSegments } from "../../dump/elf-segments.ts";
import type { Kernel } from "../../kernel/kernel.ts";

const NT_GNU_BUILD_ID = 3;
const MAX_NOTES = 1 << 20;

/** One line on what the vmlinux is good for. Throws UsageError when it is another kernel's. */
export function checkNamelist(kernel: Kernel, path: string): string {
  const wanted = kernel.vmcoreinfo?.get("BUILD-ID")?.trim().toLowerCase();
  const found = buildId(path);
  const release = kernel.vmcoreinfo?.get("OSRELEASE") ?? "of an unknown release";
  if (wanted !== undefined && found !== undefined && wanted !== found) {
    throw new UsageError(
      `${path} does not belong to this dump: build-id ${short(found)} against ${short(wanted)}; the dump is ${release}. Leave it out to go on without it.`,
    );
  }
  const verdict =
    wanted === undefined || found === undefined
      ? `whether it belongs to the dump cannot be told (${found === undefined ? "it" : "the dump"} carries no build-id)`
      : "its build-id fits the dump";
  return `${path}: ${verdict}; this version reads symbols and types from the dump and does not use the file's debug information yet`;
}

/** The file's GNU build-id in hex; undefined when it has none. */
export function buildId(path: string): string | undefined {
  const source = openFile(path);
  try {
    const header = parseElfHeader(readUpTo(source, 0, ELF_HEADER_SIZE), path);
    if (header === undefined || header.bits !== 64) return undefined;
    const segments = readSegments(source, header);
    for (let i = 0; i < segments.count; i++) {
      if (segments.types[i] !== PT_NOTE) continue;
      const bytes = readExactly(source, segments.offsets[i] as number, segments.fileSizes[i] as number, "notes", MAX_NOTES);
      const { notes } = parseNotes(bytes, header.littleEndian, segments.alignments[i] as number);
      const note = notes.find(({ name, type }) => name === "GNU" && type === NT_GNU_BUILD_ID);
      if (note !== undefined) return [...note.data].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    }
    return undefined;
  } finally {
    source.close();
  }
}

function short(id: string): string {
  return id.length > 12 ? `${id.slice(0, 8)}…` : id;
}
