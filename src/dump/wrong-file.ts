/**
 * What a file is that is not a dump, or not one that Inquest reads: one line each, with what would help. Signatures from the formats'
 * own headers (libvirt qemu_saveimage.h, QEMU migration/savevm.h, crash's sadump.h and lkcd headers as facts, VMware .vmss headers).
 */
import { latin1 } from "../bytes/cursor.ts";
import { FormatError, type InquestError, UnsupportedError } from "../bytes/errors.ts";
import { type ElfHeader, ET_DYN, ET_EXEC, ET_REL, parseElfHeader } from "./elf-header.ts";
import { withArticle } from "./machine.ts";

/** A signature: offset, bytes (as a Latin-1 string), and what the file is. */
type Signature = readonly [offset: number, bytes: string, what: string];

/** Files that hold a dump, or something else altogether. */
const CONTAINERS: readonly Signature[] = [
  [0, "\x1f\x8b", "this is a gzip file; unpack it first (gunzip)"],
  [0, "\xfd7zXZ\0", "this is an xz file; unpack it first (unxz)"],
  [0, "\x28\xb5\x2f\xfd", "this is a zstd file; unpack it first (unzstd)"],
  [0, "BZh", "this is a bzip2 file; unpack it first (bunzip2)"],
  [0, "\x04\x22\x4d\x18", "this is an lz4 file; unpack it first (unlz4)"],
  [0, "\x89LZO\0\r\n\x1a\n", "this is an lzop file; unpack it first (lzop -d)"],
  [0, "7z\xbc\xaf\x27\x1c", "this is a 7-Zip archive; unpack it first"],
  [0, "PK\x03\x04", "this is a zip archive; unpack it first"],
  [257, "ustar", "this is a tar archive; unpack it first (tar xf)"],
  [0, "version https://git-lfs", "this is a Git LFS pointer, not the file itself; fetch it (git lfs pull)"],
  [0, "MZ", "this is a program or kernel boot image in PE form, not a dump"],
  [0x202, "HdrS", "this is a kernel boot image (vmlinuz), not a dump"],
  [56, "ARMd", "this is an arm64 kernel boot image, not a dump"],
  [0, "!<arch>\n", "this is an archive of object files (or a Debian package), not a dump"],
  [0, "\xed\xab\xee\xdb", "this is an RPM package, not a dump"],
  [0, "SQLite format 3\0", "this is an SQLite database, not a dump"],
];

/** Memory images of kinds that Inquest does not read. */
const UNSUPPORTED: readonly Signature[] = [
  [0, "QFI\xfb", "this is a qcow2 disk image; Inquest reads memory dumps (a snapshot's memory inside it is not one)"],
  [0, "KDMV", "this is a VMware disk image (.vmdk), not a memory dump"],
  [
    0,
    "\xd0\xbe\xd2\xbe",
    "this is a VMware suspend or snapshot state (.vmss/.vmsn); give the .vmem file beside it as FILE@0 (RAM below 3 GiB only)",
  ],
  [
    0,
    "\xd1\xba\xd1\xba",
    "this is a VMware suspend or snapshot state (.vmss/.vmsn); give the .vmem file beside it as FILE@0 (RAM below 3 GiB only)",
  ],
  [
    0,
    "\xd2\xbe\xd2\xbe",
    "this is a VMware suspend or snapshot state (.vmss/.vmsn); give the .vmem file beside it as FILE@0 (RAM below 3 GiB only)",
  ],
  [
    0,
    "\xd3\xbe\xd3\xbe",
    "this is a VMware suspend or snapshot state (.vmss/.vmsn); give the .vmem file beside it as FILE@0 (RAM below 3 GiB only)",
  ],
  [
    0,
    "QEVM",
    "this is a QEMU savevm or migration stream, which is not supported; make an ELF dump (dump-guest-memory, virsh dump --memory-only)",
  ],
  [0, "LibvirtQemud", "this is a libvirt save file, which is not supported; make an ELF dump (virsh dump --memory-only)"],
  [0, "sadump\0\0", "this is a SADUMP dump, which is not supported"],
  [0, "\xed\x23\x8f\x61\x73\x01\x19\xa8", "this is an LKCD dump, which is not supported"],
  [0, "\xa8\x19\x01\x73\x61\x8f\x23\xed", "this is an LKCD dump of a big-endian machine, which is not supported"],
  [0, "\xa8\x19\x01\x73\x61\x8f\x23\xfd", "this is an s390 stand-alone dump; Inquest reads x86_64 and aarch64"],
  [0, "\xa8\x19\x01\x73\x61\x8f\x23\xfe", "this is an s390 stand-alone dump; Inquest reads x86_64 and aarch64"],
  [0, "PAGEDU64", "this is a Windows crash dump; Inquest reads dumps of Linux"],
  [0, "PAGEDUMP", "this is a Windows crash dump; Inquest reads dumps of Linux"],
  [0, "MDMP", "this is a Windows minidump; Inquest reads dumps of Linux"],
  [0, "LinuxGuestRecord", "this is a Xen domain save file (xc_save), which is not supported"],
  [0, "\xed\xeb\x0f\xf0", "this is a Xen domain dump (xc_core), which is not supported"],
  [0, "MCLXCD", "this is a Mission Critical (mclx) dump, which is not supported"],
  [4086, "S1SUSPEND", "this is a hibernation image, which is not supported"],
];

/** The error that says what the file is. `head` is its first 4 KiB, or fewer bytes when it is shorter. */
export function explainWrongFile(name: string, head: Uint8Array): InquestError {
  if (head.length === 0) return new FormatError(name, "the file is empty");
  const text = latin1Exact(head);
  const matches = ([offset, bytes]: Signature) => text.startsWith(bytes, offset);
  const unsupported = UNSUPPORTED.find(matches);
  if (unsupported !== undefined) return new UnsupportedError(`${name}: ${unsupported[2]}`);
  const elf = parseElfHeader(head, name);
  if (elf !== undefined) return new FormatError(name, describeElf(elf, head));
  if (text.startsWith("\x7fELF")) return new FormatError(name, "the ELF header is damaged or cut off");
  const container = CONTAINERS.find(matches);
  if (container !== undefined) return new FormatError(name, container[2]);
  if (head.every((byte) => byte === 0))
    return new FormatError(name, `the first ${head.length} bytes are zero: no dump header (a raw RAM image is given as FILE@ADDRESS)`);
  if (isText(head)) return new FormatError(name, `this is a text file, not a dump: it begins with ${JSON.stringify(firstLine(text))}`);
  const start = Array.from(head.subarray(0, 8), (byte) => byte.toString(16).padStart(2, "0")).join(" ");
  return new FormatError(name, `no dump format begins with ${start} (a raw RAM image is given as FILE@ADDRESS)`);
}

function describeElf(header: ElfHeader, head: Uint8Array): string {
  const machine = header.machine === "unknown" ? `an ELF (machine ${header.machineNumber})` : withArticle(header.machine);
  if (header.type === ET_REL) return `this is ${machine} kernel module or object file, not a dump`;
  if (header.type !== ET_EXEC && header.type !== ET_DYN) return `this is an ELF file of type ${header.type}, not a core`;
  return isKernel(header, head)
    ? `this is ${machine} vmlinux, not a dump; give the dump beside it`
    : `this is ${machine} program or shared library, not a dump`;
}

/** A vmlinux is linked to addresses in the kernel's half; the first program headers show it. */
function isKernel(header: ElfHeader, head: Uint8Array): boolean {
  if (header.bits !== 64) return false;
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  for (let i = 0; i < Math.min(header.phnum, 16); i++) {
    const at = header.phoff + i * header.phentsize;
    if (at + 24 > head.length) return false;
    if (view.getUint32(at, header.littleEndian) === 1 && view.getBigUint64(at + 16, header.littleEndian) >= 1n << 63n) return true;
  }
  return false;
}

/** Printable ASCII, tabs, line ends and UTF-8 only. */
function isText(head: Uint8Array): boolean {
  return head.every((byte) => byte >= 0x20 || byte === 9 || byte === 10 || byte === 13 || byte === 0x1b);
}

function firstLine(text: string): string {
  const line = text.split(/[\r\n]/).find((candidate) => candidate.trim() !== "") ?? "";
  // Escapes in it must not reach a terminal.
  return line.slice(0, 60).replace(/[^\x20-\x7e]/g, "?");
}

/** One character a byte, 0x80 … 0x9f included (which TextDecoder's latin1 maps elsewhere). */
function latin1Exact(bytes: Uint8Array): string {
  return /[^\x00-\x7f]/.test(latin1(bytes)) ? String.fromCharCode(...bytes) : latin1(bytes);
}
