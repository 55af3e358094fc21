import { describe, expect, it } from "vitest";
import { dependsOf } from "./drivers.ts";
import { findBtf, imagePayload } from "./image-btf.ts";
import { compareVersions, KERNELS, versionsAmong } from "./kernels.ts";

describe("kernel packages", () => {
  const bookworm = KERNELS.find((kernel) => kernel.id === "6.1-amd64")!;
  const sid = KERNELS.find((kernel) => kernel.id === "sid-arm64")!;

  it("are chosen by series and flavour, newest first", () => {
    const names = [
      "linux-image-6.1.0-9-cloud-amd64-unsigned",
      "linux-image-6.1.0-56-cloud-amd64",
      "linux-image-6.1.0-56-amd64",
      "linux-image-6.12.117+deb12-cloud-amd64",
      "linux-image-6.1.0-56-cloud-amd64-dbg",
    ];
    expect(versionsAmong(names, bookworm)).toEqual(["6.1.0-56", "6.1.0-9"]);
    expect(versionsAmong(["linux-binary-7.2.13+deb14-cloud-arm64"], sid)).toEqual(["7.2.13+deb14"]);
    const candidate = KERNELS.find((kernel) => kernel.id === "experimental-amd64")!;
    expect(versionsAmong(["linux-binary-7.3-cloud-amd64", "linux-binary-7.2.13+deb14-cloud-amd64"], candidate)).toEqual(["7.3"]);
  });

  it("compare by number, not by letter", () => {
    expect(compareVersions("6.12.117+deb13", "6.12.9+deb13")).toBeGreaterThan(0);
    expect(compareVersions("5.10.0-32", "5.10.0-32")).toBe(0);
  });
});

describe("modules and images", () => {
  it("name what they depend on", () => {
    expect(dependsOf(Buffer.from("license=GPL\0depends=virtio,virtio-ring\0name=x\0"))).toEqual(["virtio", "virtio_ring"]);
    expect(dependsOf(Buffer.from("license=GPL\0depends=\0"))).toEqual([]);
  });

  it("hold BTF behind a header that adds up", () => {
    const btf = Buffer.alloc(24 + 8 + 5);
    btf.set([0x9f, 0xeb, 1, 0, 24]);
    for (const [at, value] of [
      [12, 8],
      [16, 8],
      [20, 5],
    ] as const)
      btf.writeUInt32LE(value, at);
    const kernel = Buffer.concat([Buffer.from([0x9f, 0xeb, 1, 0, 24, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1]), btf, Buffer.alloc(9)]);
    expect(findBtf(kernel)).toEqual(btf);
    const image = Buffer.alloc(2048);
    image.writeUInt8(1, 0x1f1);
    image.write("HdrS", 0x202);
    image.writeUInt32LE(16, 0x248);
    image.writeUInt32LE(12, 0x24c);
    image.set([0x02, 0x21, 0x4c, 0x18, 9, 9, 9, 9], 1040);
    expect(imagePayload(image)).toEqual({ bytes: image.subarray(1040, 1048), compression: "lz4" });
  });
});
