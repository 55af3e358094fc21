import { describe, expect, it } from "vitest";
import { ProgramUsageError, parseProgramOptions } from "./program-options.ts";

describe("the program's options", () => {
  it("takes files anywhere and commands in order", () => {
    const options = parseProgramOptions(["-c", "bt -a", "vmcore", "--json", "-c", "ps", "vmlinux", "-s"]);
    expect(options).toMatchObject({
      files: ["vmcore", "vmlinux"],
      commands: ["bt -a", "ps"],
      json: true,
      silent: true,
      minimal: false,
      scroll: true,
    });
  });

  it("understands crash's spellings", () => {
    expect(parseProgramOptions(["x", "--zero_excluded", "--no_scroll", "--no_crashrc", "--hex", "--offline", "hide"])).toMatchObject({
      zeroExcluded: true,
      scroll: false,
      rcFiles: false,
      radix: 16,
      offline: "hide",
    });
  });

  it("ignores options of crash that change nothing here", () => {
    expect(parseProgramOptions(["-d", "1", "-e", "vi", "--no_modules", "x", "--hash", "4096", "-c", "-d", "--less"])).toMatchObject({
      files: ["x"],
      commands: ["-d"],
    });
  });

  it("takes help with and without a name", () => {
    expect(parseProgramOptions(["-h"]).help).toBe(true);
    expect(parseProgramOptions(["--help", "bt"]).help).toBe("bt");
    expect(parseProgramOptions(["-v"]).version).toBe(true);
  });

  it("refuses the rest in one line", () => {
    expect(() => parseProgramOptions(["--bogus"])).toThrow(new ProgramUsageError("unknown option '--bogus'"));
    expect(() => parseProgramOptions(["-c"])).toThrow(/argument missing/);
    expect(() => parseProgramOptions(["--offline", "x", "f"])).toThrow(ProgramUsageError);
  });
});
