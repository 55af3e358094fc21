/** `--api` of the views: on each kernel with known objects, the library's calls answer what the command does, from the dump alone. */
import { beforeAll, describe, expect, test } from "vitest";
import { cachedCases } from "../../lab/case-record.ts";
import type { Session } from "../../src/commands/command.ts";
import { createSession } from "../../src/commands/session.ts";
import { NO_DATA_SYMBOLS } from "../../src/kernel/extra-symbols.ts";
import { openKernel } from "../../src/kernel/open.ts";
import { Kernel } from "../../src/library/kernel.ts";
import { expectSameAnswer, hasAnswer } from "../support/api-answer.ts";

const LINES = [
  ...["lock", "blk", "cpu", "runq", "runq -m", "timer", "timer -r", "irq -u", "irq -s", "rcu", "rcu -a", "wq", "waitq log_wait"],
  ...["kmem -i", "kmem -z", "kmem -v", "kmem init_task", "swap", "mount", "mount -n 1", "files 1", "vm 1", "sig 1"],
  ...["net", "net -n 1", "net -a", "net --sockets", "bpf", "bpf -P", "ipcs", "cgroup", "cgroup -a", "ftrace -l", "ftrace"],
];

const cases = cachedCases().filter(({ id }) => id.endsWith("-views"));

test("the cache has kernels with known objects", () => {
  expect(cases.length).toBeGreaterThan(0);
});

describe.each(cases.map((lab) => [lab.id, lab] as const))("%s", (_, lab) => {
  let session: Session;
  beforeAll(async () => {
    const dump = lab.dumps.find(({ format, flattened }) => (format === "elf" || format === "kdump") && !flattened);
    session = createSession(await openKernel([...(dump?.files ?? [])]));
  });

  test.each(LINES)("%s", (line) => expectSameAnswer(session, new Kernel(session.kernel), line));

  test("only kernels that list functions alone may refuse", () => {
    if (session.kernel.notes.some((note) => note.includes(NO_DATA_SYMBOLS))) return;
    expect(LINES.filter((line) => !hasAnswer(session, line))).toEqual([]);
  });
});
