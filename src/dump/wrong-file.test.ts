import { describe, expect, it } from "vitest";
import { UnsupportedError } from "../bytes/errors.ts";
import { ByteWriter } from "../bytes/testing/byte-writer.ts";
import { buildElf } from "./testing/build-elf.ts";
import { explainWrongFile } from "./wrong-file.ts";

const text = (value: string, at = 0) => new ByteWriter().text(at, value).padTo(600).finish();
const explain = (bytes: Uint8Array) => explainWrongFile("f", bytes.subarray(0, 4096));
const kernel = [{ physical: 0, virtual: 0xffffffff81000000n, data: Uint8Array.of(1) }];

describe("explainWrongFile", () => {
  it.each<[string, Uint8Array]>([
    ["f: the file is empty", new Uint8Array(0)],
    ["f: this is a gzip file; unpack it first (gunzip)", text("\x1f\x8b\x08")],
    ["f: this is an xz file; unpack it first (unxz)", text("\xfd7zXZ\0")],
    ["f: this is a zstd file; unpack it first (unzstd)", text("\x28\xb5\x2f\xfd")],
    ["f: this is a bzip2 file; unpack it first (bunzip2)", text("BZh91AY")],
    ["f: this is a tar archive; unpack it first (tar xf)", text("ustar", 257)],
    ["f: this is a Git LFS pointer, not the file itself; fetch it (git lfs pull)", text("version https://git-lfs.github.com/spec/v1\n")],
    ["f: this is a kernel boot image (vmlinuz), not a dump", text("HdrS", 0x202)],
    ["f: this is an x86_64 vmlinux, not a dump; give the dump beside it", buildElf({ type: 2, segments: kernel })],
    ["f: this is an aarch64 vmlinux, not a dump; give the dump beside it", buildElf({ type: 3, machine: 183, segments: kernel })],
    ["f: this is an x86_64 program or shared library, not a dump", buildElf({ type: 3 })],
    ["f: this is an x86_64 kernel module or object file, not a dump", buildElf({ type: 1 })],
    ["f: this is an ELF file of type 9, not a core", buildElf({ type: 9 })],
    ["f: the ELF header is damaged or cut off", buildElf().subarray(0, 20)],
    ["f: the first 4096 bytes are zero: no dump header (a raw RAM image is given as FILE@ADDRESS)", new Uint8Array(5000)],
    [
      'f: this is a text file, not a dump: it begins with "[    0.000000] Linux version 6.1"',
      new TextEncoder().encode("\n[    0.000000] Linux version 6.1\n..."),
    ],
    ["f: no dump format begins with 01 02 ff fe (a raw RAM image is given as FILE@ADDRESS)", Uint8Array.of(1, 2, 0xff, 0xfe)],
  ])("%s", (line, bytes) => {
    expect(explain(bytes).message).toBe(line);
  });

  it.each<[RegExp, Uint8Array]>([
    [/qcow2/, text("QFI\xfb")],
    [/VMware suspend/, text("\xd2\xbe\xd2\xbe")],
    [/QEMU savevm/, text("QEVM")],
    [/libvirt save file/, text("LibvirtQemudSave")],
    [/SADUMP/, text("sadump\0\0")],
    [/LKCD/, text("\xed\x23\x8f\x61\x73\x01\x19\xa8")],
    [/s390/, text("\xa8\x19\x01\x73\x61\x8f\x23\xfd")],
    [/Windows/, text("PAGEDU64")],
    [/hibernation/, text("S1SUSPEND", 4086)],
  ])("names memory images of other kinds as unsupported: %s", (line, bytes) => {
    expect(explain(bytes)).toBeInstanceOf(UnsupportedError);
    expect(explain(bytes).message).toMatch(line);
  });

  it("lets no escape sequence of the file through", () => {
    expect(explain(new TextEncoder().encode("\x1b[31mred")).message).toBe('f: this is a text file, not a dump: it begins with "?[31mred"');
  });
});
