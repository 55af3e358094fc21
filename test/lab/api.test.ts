/** `--api` with debug information: on each kernel whose vmlinux is in the cache, the code that is printed answers what the command does. */
import { existsSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { type CachedCase, cachedCases } from "../../lab/case-record.ts";
import type { Session } from "../../src/commands/command.ts";
import { createSession } from "../../src/commands/session.ts";
import { registerDisassemblers } from "../../src/faces/cli/disassemblers.ts";
import { Kernel } from "../../src/library/kernel.ts";
import { openDump } from "../../src/library/open-dump.ts";
import { expectSameAnswer } from "../support/api-answer.ts";

const LINES = [
  ...["bt", "bt -l", "bt -i", "bt -il", "bt -V", "bt -a", "foreach IN bt", "foreach active bt -l"],
  ...["frame", "up", "info frame", "info args", "info locals", "info registers"],
  ...["p init_task.tasks", "p jiffies", "p panic_timeout", "whatis panic_timeout", "struct file_operations", "struct list_head modules"],
  ...["list -H modules module.list -s module.name", "sym schedule", "dis schedule 5", "x/4xg &init_task", "task -R pid,comm", "sys"],
];

function dumpOf(lab: CachedCase) {
  return lab.dumps.find(({ format, flattened, vmcoreinfo }) => (format === "elf" || format === "kdump") && !flattened && vmcoreinfo);
}

const cases = cachedCases().filter((lab) => lab.vmlinux !== undefined && existsSync(lab.vmlinux) && dumpOf(lab));

test("the cache has kernels with their debug information", () => {
  expect(cases.length).toBeGreaterThan(0);
});

describe.each(cases.map((lab) => [lab.id, lab] as const))("%s", (_, lab) => {
  let kernel: Kernel;
  let session: Session;
  beforeAll(async () => {
    registerDisassemblers();
    kernel = await openDump(dumpOf(lab)?.files ?? [], { vmlinux: lab.vmlinux as string, search: false });
    session = createSession(kernel.engine);
    await kernel.loadDisassembler();
  });

  test.each(LINES)("%s", (line) => expectSameAnswer(session, new Kernel(kernel.engine), line));
});
