/**
 * Golden transcripts of the printing commands on the committed dumps. The layouts were held against crash 9.0.2 and the values against
 * drgn 0.3 on other dumps of the same kernels; here they must not change unnoticed. After a change on purpose: npx vitest run -u.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { InquestError } from "../../src/bytes/errors.ts";
import type { Session } from "../../src/commands/command.ts";
import { openSample, samples } from "./samples.ts";

const LINES = `
struct list_head -o
struct list_head modules
task_struct.pid,comm,tasks,se.on_rq init_task
struct task_struct.sched_class,cred,stack -p init_task
struct task_struct -x init_task
struct page -ox
struct task_struct.se.avg,comm -o init_task
struct list_head -r modules
struct list_head -c -2 modules
union rcu_special
atomic_t
struct rq.cpu,nr_running runqueues:a
struct task_struct.nosuch
struct nosuch
p jiffies
px jiffies
p runqueues
p runqueues:0
p init_uts_ns
p linux_banner
p sizeof(struct page)
p (enum pid_type)2
p ((struct task_struct *)&init_task)->comm
p $1 + 1
p *(int *)0
list task_struct.tasks -s task_struct.pid,comm -h init_task
list -H modules module.list -S module.name,state
list -r -H modules module.list
sym schedule
sym -np schedule
sym schedule+0x10
sym nosuch
rd init_task 8
rd -a linux_banner
rd -8 init_uts_ns 20
rd -32 init_uts_ns 5
rd -s modules 2
rd -S init_task 300
rd -SS modules 2
rd -d jiffies
rd 0
whatis ksys_read
whatis enum pid_type
whatis init_task.mm
whatis -r 256 -m list_head
whatis PIDTYPE_SID
`;

describe.each(samples.map((sample) => [sample.name, sample] as const))("%s", (name, sample) => {
  let session: Session;
  beforeAll(async () => {
    session = await openSample(sample);
  });
  afterAll(() => session.kernel.dump.close());

  test("printing commands", async () => {
    const transcript = LINES.trim()
      .split("\n")
      .flatMap((line) => [`inquest> ${line}`, ...answer(session, line)]);
    await expect(`${transcript.join("\n")}\n`).toMatchFileSnapshot(`golden/${name}.print.txt`);
  });
});

function answer(session: Session, line: string): string[] {
  const lines: string[] = [];
  try {
    for (const text of session.execute(line).text({ radix: session.settings.radix })) lines.push(text);
  } catch (error) {
    if (!(error instanceof InquestError)) throw error;
    // Which names are nearest is a matter of taste and tested elsewhere.
    lines.push(`error: ${error.message.replace(/ \(nearest: .*\)$/, "")}`);
  }
  return lines;
}
