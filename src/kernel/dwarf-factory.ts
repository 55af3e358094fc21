/** How debug information is made of a file's sections: by DWARF. One place, so that the program, scripts and commands make the same. */
import { DwarfDebugInfo } from "../debug-info/dwarf/dwarf-debug-info.ts";
import type { DebugInfoFactory } from "./vmlinux-file.ts";

export const dwarfDebugInfo: DebugInfoFactory = (sections, owner, complete) =>
  DwarfDebugInfo.open(sections, owner, complete === undefined ? {} : { complete });
