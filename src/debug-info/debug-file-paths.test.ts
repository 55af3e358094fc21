import { describe, expect, it } from "vitest";
import { aroundVmlinux, debugDirectories, moduleOfFile, moduleRoots, safeRelease, vmlinuxPaths } from "./debug-file-paths.ts";

describe("where debug files are", () => {
  it("a vmlinux, in every distribution's place", () => {
    const paths = vmlinuxPaths("6.1.0-56", "abcd01", ["/usr/lib/debug"]);
    for (const place of [
      "/usr/lib/debug/.build-id/ab/cd01.debug",
      "/usr/lib/debug/boot/vmlinux-6.1.0-56",
      "/usr/lib/debug/boot/vmlinux-6.1.0-56.debug",
      "/usr/lib/debug/lib/modules/6.1.0-56/vmlinux",
      "/lib/modules/6.1.0-56/build/vmlinux",
      "/lib/modules/6.1.0-56/vmlinux",
      "/boot/vmlinux-6.1.0-56",
    ])
      expect(paths).toContain(place);
    expect(paths[0]).toContain(".build-id");
  });

  it("a release from the dump never leads elsewhere", () => {
    for (const release of ["../../etc", "a/b", "", ".", "..", "x\0y", "a b", undefined, "x".repeat(200)]) {
      expect(safeRelease(release)).toBeUndefined();
      expect(vmlinuxPaths(release, undefined, ["/d"])).toEqual([]);
      expect(moduleRoots(release, ["/d"], undefined)).toEqual([]);
    }
    expect(safeRelease("6.12.117+deb13-cloud-amd64")).toBe("6.12.117+deb13-cloud-amd64");
    expect(safeRelease("5.15.0-rc1~1")).toBe("5.15.0-rc1~1");
  });

  it("directories that the user names, then the system's", () => {
    expect(debugDirectories(["/r"])).toEqual(["/r/usr/lib/debug", "/r/lib/debug", "/r", "/usr/lib/debug"]);
    expect(debugDirectories([])).toEqual(["/usr/lib/debug"]);
  });

  it("modules: near the vmlinux, in the directories, in the system", () => {
    expect(moduleRoots("6.1", ["/usr/lib/debug"], "/x/debug/boot/vmlinux-6.1")).toEqual([
      "/x/debug/lib/modules/6.1",
      "/x/debug/usr/lib/modules/6.1",
      "/usr/lib/debug/lib/modules/6.1",
      "/usr/lib/debug/usr/lib/modules/6.1",
      "/lib/modules/6.1",
      "/usr/lib/modules/6.1",
    ]);
    expect(aroundVmlinux("/usr/lib/debug/lib/modules/6.1/vmlinux")).toEqual(["/usr/lib/debug"]);
    expect(aroundVmlinux("/usr/lib/debug/usr/lib/modules/6.1/vmlinux.debug")).toEqual(["/usr/lib/debug"]);
    expect(aroundVmlinux("/lib/modules/6.1/build/vmlinux")).toEqual(["/"]);
    expect(aroundVmlinux("/home/me/vmlinux")).toEqual([]);
  });

  it("a module by the name of its file", () => {
    expect(moduleOfFile("/a/snd-hda-intel.ko")).toBe("snd_hda_intel");
    for (const end of [".ko", ".ko.debug", ".ko.xz", ".ko.zst", ".ko.gz", ".ko.debug.xz"]) expect(moduleOfFile(`tun${end}`)).toBe("tun");
    for (const name of ["tun.o", "vmlinux", "a.ko.bz2", ".ko", "a.kok"]) expect(moduleOfFile(name)).toBeUndefined();
  });
});
