import { describe, expect, it } from "vitest";
import { VmcoreInfo } from "../dump/vmcoreinfo.ts";
import type { VmlinuxFile } from "./debug-info.ts";
import type { Kernel } from "./kernel.ts";
import { claimedIdentity, fitOf, kernelIdentity, mismatch } from "./kernel-identity.ts";

const START = 0xffff_ffff_8200_0000n;
const ID = "aa".repeat(20);
const OTHER = "bb".repeat(20);
const BANNER = "Linux version 6.1.115 (me) #1";

/** Notes as the kernel links them: another owner's first. */
function notes(id: string): Uint8Array {
  const bytes = id.match(/../g)?.map((byte) => Number.parseInt(byte, 16)) ?? [];
  const text = (value: string) => [...value].map((character) => character.charCodeAt(0));
  return Uint8Array.from([
    4,
    0,
    0,
    0,
    4,
    0,
    0,
    0,
    1,
    0,
    0,
    0,
    ...text("Xen\0"),
    1,
    2,
    3,
    4,
    4,
    0,
    0,
    0,
    bytes.length,
    0,
    0,
    0,
    3,
    0,
    0,
    0,
    ...text("GNU\0"),
    ...bytes,
  ]);
}

function kernel(info: string, memory: Uint8Array | undefined, banner?: string): Kernel {
  const symbols = new Map([
    ["__start_notes", START],
    ["__stop_notes", START + BigInt(notes(ID).length)],
    ["linux_banner", START + 4096n],
  ]);
  return {
    vmcoreinfo: new VmcoreInfo(info),
    symbols: { byName: (name: string) => (symbols.has(name) ? { address: symbols.get(name) } : undefined) },
    tryAddress: (name: string) => symbols.get(name),
    memory: { tryBytes: () => memory, cString: () => banner ?? "" },
  } as unknown as Kernel;
}

const vmlinux = (buildId: string | undefined, banner: string | undefined) => ({ path: "vmlinux", buildId, banner }) as VmlinuxFile;

describe("which build a kernel is", () => {
  it("its own notes are believed before VMCOREINFO, whatever that says", () => {
    expect(kernelIdentity(kernel(`OSRELEASE=6.9.0\nBUILD-ID=${OTHER}`, notes(ID), `${BANNER}\n`))).toEqual({
      buildId: ID,
      among: [],
      banner: BANNER,
      release: "6.9.0",
    });
    expect(kernelIdentity(kernel(`OSRELEASE=6.9.0\nBUILD-ID=${OTHER}`, undefined)).buildId).toBe(OTHER);
    expect(kernelIdentity(kernel("", undefined, BANNER)).release).toBe("6.1.115");
  });

  it("releases that printed garbage are known", () => {
    const id = (release: string) => claimedIdentity(new VmcoreInfo(`OSRELEASE=${release}\nBUILD-ID=${OTHER}`)).buildId;
    for (const release of [
      "6.12.0-rc3",
      "6.12-rc1",
      "6.12~rc6-amd64",
      "6.11.3",
      "6.11.9-200.fc41.x86_64",
      "6.10.14",
      "6.6.60",
      "6.1.113",
      "5.15.168",
      "5.15.199",
    ])
      expect(id(release), release).toBeUndefined();
    for (const release of [
      "6.12.0",
      "6.12.117+deb13-cloud-amd64",
      "6.11.2",
      "6.11.10",
      "6.10.13",
      "6.6.54",
      "6.6.63",
      "6.1.112",
      "6.1.119",
      "6.1.0-56-cloud-amd64",
      "5.15.167",
      "5.10.0-43",
    ])
      expect(id(release), release).toBe(OTHER);
  });
});

describe("whether a vmlinux fits", () => {
  const identity = { buildId: ID, among: [], banner: BANNER, release: "6.1.115" };

  it("by build-id, else by the whole banner, else by what can be told", () => {
    expect(fitOf(identity, vmlinux(ID, "Linux version 9"))).toBe("fits");
    expect(fitOf(identity, vmlinux(OTHER, BANNER))).toBe("differs");
    expect(fitOf({ ...identity, buildId: undefined }, vmlinux(OTHER, BANNER))).toBe("fits");
    expect(fitOf({ ...identity, buildId: undefined }, vmlinux(OTHER, `${BANNER}2`))).toBe("differs");
    expect(fitOf({ ...identity, buildId: undefined, banner: undefined }, vmlinux(OTHER, "Linux version 6.1.116 (me)"))).toBe("differs");
    expect(fitOf({ ...identity, buildId: undefined, banner: undefined }, vmlinux(OTHER, BANNER))).toBe("unknown");
    expect(fitOf(identity, vmlinux(undefined, undefined))).toBe("unknown");
    const among = { ...identity, buildId: undefined, among: [OTHER, ID] };
    expect(fitOf(among, vmlinux(ID, "Linux version 9"))).toBe("fits");
    expect(fitOf(among, vmlinux("cc", `${BANNER}2`))).toBe("differs");
    expect(mismatch(vmlinux("cc", "x"), among).message).toContain(`build-id cc against ${OTHER} or ${ID};`);
  });

  it("the error prints both build-ids and both banners in one line", () => {
    const { message } = mismatch(vmlinux(OTHER, "Linux version 6.2"), identity);
    for (const part of [ID, OTHER, BANNER, "Linux version 6.2", "--force-vmlinux"]) expect(message).toContain(part);
    expect(message).not.toContain("\n");
    expect(mismatch(vmlinux(undefined, undefined), { buildId: undefined, among: [], banner: undefined, release: "6.1" }).message).toContain(
      'build-id (none) against (unknown); the file is "(not in it)", the dump is "Linux version 6.1"',
    );
  });
});
