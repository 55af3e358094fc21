/**
 * Writer of the "newc" cpio archives the kernel unpacks as its initial root (Documentation/driver-api/early-userspace/buffer-format.rst):
 *
 *   "070701" + 13 fields of 8 hex digits (ino mode uid gid nlink mtime filesize devmajor devminor rdevmajor rdevminor namesize check)
 *   name NUL, padded to 4 | data, padded to 4 | ... | an entry named TRAILER!!!
 */

const DIRECTORY = 0o040755;
const REGULAR = 0o100000;
const SYMLINK = 0o120777;

const encoder = new TextEncoder();

/** Collects entries; parents of a path are made by themselves. */
export class NewcArchive {
  private readonly chunks: Uint8Array[] = [];
  private readonly directories = new Set<string>();
  private inode = 1;

  /** Add a regular file (mode 0644 unless given). */
  file(path: string, data: Uint8Array | string, mode = 0o644): void {
    this.parents(path);
    this.entry(path, REGULAR | mode, typeof data === "string" ? encoder.encode(data) : data);
  }

  /** Add a symbolic link. */
  symlink(path: string, target: string): void {
    this.parents(path);
    this.entry(path, SYMLINK, encoder.encode(target));
  }

  /** Add a directory, and those above it. */
  directory(path: string): void {
    this.parents(path);
    if (this.directories.has(path)) return;
    this.directories.add(path);
    this.entry(path, DIRECTORY, new Uint8Array(0));
  }

  /** The archive's bytes, with its end marker. */
  finish(): Uint8Array {
    this.inode = 0;
    this.entry("TRAILER!!!", 0, new Uint8Array(0));
    return Buffer.concat(this.chunks);
  }

  private parents(path: string): void {
    const slash = path.lastIndexOf("/");
    if (slash > 0) this.directory(path.slice(0, slash));
  }

  private entry(path: string, mode: number, data: Uint8Array): void {
    const name = encoder.encode(`${path}\0`);
    const fields = [this.inode++, mode, 0, 0, 1, 0, data.length, 0, 0, 0, 0, name.length, 0];
    const header = encoder.encode(`070701${fields.map((field) => field.toString(16).padStart(8, "0")).join("")}`);
    this.chunks.push(header, name, padding(header.length + name.length), data, padding(data.length));
  }
}

function padding(length: number): Uint8Array {
  return new Uint8Array((4 - (length % 4)) % 4);
}
