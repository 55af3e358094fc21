/** The kernel's name and version: init_uts_ns (init/version.c), else VMCOREINFO, the banner or the dump's header. */
import type { Utsname } from "../dump/dump.ts";
import type { Kernel } from "../kernel/kernel.ts";

/** Reads what `uname -a` would print; members that nothing tells are empty strings. */
export function utsname(kernel: Kernel): Utsname {
  return kernel.memo(utsname, () => {
    const namespace = kernel.tryAddress("init_uts_ns");
    const struct = kernel.types.tryStruct("new_utsname");
    const name = kernel.types.tryStruct("uts_namespace")?.tryField("name");
    if (
      namespace !== undefined &&
      struct !== undefined &&
      name !== undefined &&
      kernel.memory.tryBytes(name.address(namespace), struct.size) !== undefined
    ) {
      const at = name.address(namespace);
      const text = (member: string) => struct.tryField(member)?.string(at) ?? "";
      return {
        sysname: text("sysname"),
        nodename: text("nodename"),
        release: text("release"),
        version: text("version"),
        machine: text("machine"),
        domainname: text("domainname"),
      };
    }
    const header = kernel.dump.utsname;
    const release = /^OSRELEASE=(.*)$/m.exec(kernel.dump.vmcoreinfo ?? "")?.[1] ?? header?.release ?? "";
    return {
      sysname: header?.sysname ?? "Linux",
      nodename: header?.nodename ?? "",
      release,
      version: header?.version ?? bannerVersion(kernel),
      machine: header?.machine ?? kernel.arch.name,
      domainname: header?.domainname ?? "",
    };
  });
}

/** "#1 SMP Debian …" of linux_banner, which ends like `uname -v` does. */
function bannerVersion(kernel: Kernel): string {
  const address = kernel.tryAddress("linux_banner");
  if (address === undefined || kernel.memory.tryBytes(address, 1) === undefined) return "";
  return /#\d+ .*$/.exec(kernel.memory.cString(address, 512).trimEnd())?.[0] ?? "";
}
