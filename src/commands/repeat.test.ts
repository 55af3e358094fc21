import { expect, it } from "vitest";
import { UsageError } from "../bytes/errors.ts";
import { type Command, defineCommand } from "./command.ts";
import { repeat } from "./repeat.ts";
import { fakeSession } from "./testing/fake-session.ts";

let runs = 0;
const count: Command = defineCommand<number>({
  spec: { name: "count", summary: "", synopsis: [""], description: [], options: [] },
  run: () => ++runs,
  *text(n) {
    yield `run ${n}`;
  },
}) as Command;

const session = fakeSession({ commands: [count, repeat as Command], symbols: {} });
const lines = (line: string) => [...session.execute(line).text({ radix: 10 })];

it("runs so often as it is told, with pauses between", () => {
  runs = 0;
  const before = performance.now();
  expect(lines("repeat -0.06 -n 3 count")).toEqual(["run 1", "run 2", "run 3"]);
  expect(performance.now() - before).toBeGreaterThan(100);
});

it("runs once where nobody can end it, and without end where somebody can", () => {
  runs = 0;
  expect(lines("repeat count")).toEqual(["run 1"]);
  const prompt = Object.create(session, { interactive: { value: true } }) as typeof session;
  const outcome = repeat.run(prompt, { line: "-0 count" } as never);
  expect(outcome.times).toBeUndefined();
  const some = outcome.runs[Symbol.iterator]();
  for (let i = 0; i < 50; i++) expect(some.next().done).toBe(false);
});

it("refuses what would never run or never end", () => {
  for (const line of ["repeat", "repeat -n 0 count", "repeat repeat count", "repeat -9999999 count", "repeat -x count"])
    expect(() => lines(line)).toThrow(UsageError);
});
