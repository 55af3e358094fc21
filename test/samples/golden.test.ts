/**
 * Golden transcripts: every command with its main options on each committed dump, one file a command. They were read against the guests'
 * own word, the console and crash's layouts; here they must not change unnoticed. After a change on purpose: `npx vitest run
 * test/samples -u`, and read the difference.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadDisassembler } from "../../src/arch/disassembler.ts";
import type { Session } from "../../src/commands/command.ts";
import { commandRegistry } from "../../src/commands/registry.ts";
import { createSession } from "../../src/commands/session.ts";
import { registerDisassemblers } from "../../src/faces/cli/disassemblers.ts";
import { linesOf } from "./golden-lines.ts";
import { openSample, samples } from "./samples.ts";
import { transcript } from "./transcript.ts";

// Dates are shown in the reader's time zone.
process.env.TZ = "UTC";

describe.each(samples.map((sample) => [sample.name, sample] as const))("%s", (name, sample) => {
  const lines = linesOf(sample);
  let opened: Session;
  beforeAll(async () => {
    opened = await openSample(sample);
    registerDisassemblers();
    await loadDisassembler(opened.kernel.arch.name);
  });
  afterAll(() => opened.kernel.dump.close());

  test("every command has a transcript", () => {
    expect([...lines.keys()].sort()).toEqual(
      commandRegistry
        .all()
        .map((command) => command.spec.name)
        .sort(),
    );
  });

  test.each([...lines])("%s", async (command, list) => {
    // Settings and aliases of one transcript do not reach into the next.
    const session = createSession(opened.kernel, { files: opened.files });
    const file = command === "*" ? "star" : command;
    // `help -D` names the file where it lies.
    const text = transcript(session, list).replaceAll(sample.vmcore, "vmcore");
    await expect(text).toMatchFileSnapshot(`golden/${name}/${file}.txt`);
  });
});
