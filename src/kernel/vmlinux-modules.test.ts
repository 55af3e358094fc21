import { expect, test } from "vitest";
import { FormatError } from "../bytes/errors.ts";
import { EM_X86_64 } from "../debug-info/elf.ts";
import { moduleFiles, VmlinuxModules } from "./vmlinux-modules.ts";

test("a debug file comes before the module that it is of; other names are none", () => {
  expect([...moduleFiles(["/a/snd-hda.ko.debug", "/b/snd-hda.ko.xz", "/c/widget.ko", "/c/vmlinux"])].sort()).toEqual([
    ["snd_hda", "/a/snd-hda.ko.debug"],
    ["widget", "/c/widget.ko"],
  ]);
});

test("a file is asked for once, when its module is wanted; one that is no module is refused", () => {
  const asked: string[] = [];
  const modules = new VmlinuxModules(EM_X86_64, (name) => {
    asked.push(name);
    return name === "node" ? process.execPath : undefined;
  });
  modules.want("widget");
  modules.want("widget");
  expect(asked).toEqual(["widget"]);
  expect(modules.modules).toEqual([]);
  expect(modules.bytesAt(0xffff_ffff_0000_0000n, 4)).toBeUndefined();
  expect(() => modules.want("node")).toThrow(FormatError);
});
