/** The committed dumps: what they are called, where their parts lie, and each opened once for a test file. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { openTruth, type Truth } from "../../lab/truth.ts";
import type { Session } from "../../src/commands/command.ts";
import { createSession } from "../../src/commands/session.ts";
import { openKernel } from "../../src/kernel/open.ts";

const root = fileURLToPath(new URL("../../samples/", import.meta.url));

export interface Sample {
  readonly name: string;
  readonly release: string;
  readonly scenario: string;
  readonly vmcore: string;
  readonly consolePath: string;
  readonly truth: Truth;
}

interface Listed {
  readonly name: string;
  readonly release: string;
  readonly scenario: string;
}

/** The samples of samples.json. */
export const samples: readonly Sample[] = (JSON.parse(readFileSync(`${root}samples.json`, "utf8")) as Listed[]).map((listed) => {
  const folder = `${root}${listed.name}`;
  const consolePath = `${folder}/console.log.txt`;
  const { name, release, scenario } = listed;
  return { name, release, scenario, vmcore: `${folder}/vmcore`, consolePath, truth: openTruth(`${folder}/truth.txt`, consolePath) };
});

/** A fresh session over a sample; the dump stays open until `session.kernel.dump.close()`. */
export async function openSample(sample: Sample): Promise<Session> {
  return createSession(await openKernel([sample.vmcore]), { files: { dump: ["vmcore"], namelist: undefined } });
}
