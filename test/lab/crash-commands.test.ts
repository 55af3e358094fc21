/**
 * Every command of crash 9 with each of its options, in crash (with its vmlinux) and in Inquest (without) on dumps of three kernels. The
 * answers are equal, or listed with the reason why not in crash-commands/, one table a subject. Places that `{name}` stands for are those
 * of crash-compat-run.ts. Needs the peers (`lab peers`) and the vmlinux of each kernel (`lab make --case 5.10-amd64-null --dbg`).
 */
import { describe, expect, test } from "vitest";
import { cachedPeers } from "../../lab/peers.ts";
import { COMMAND_TABLES } from "./crash-commands/index.ts";
import { compare, compatCases } from "./crash-compat-judge.ts";

const peers = cachedPeers();
const cases = compatCases("5.10-amd64-null", "6.1-amd64-null", "6.12-amd64-null");
const subjects = cases.flatMap((made) => Object.entries(COMMAND_TABLES).map(([subject, table]) => ({ id: made.id, made, subject, table })));

describe.skipIf(peers === undefined || cases.length === 0)("crash's commands", () => {
  test.each(subjects)("$subject on $id", async ({ id, made, subject, table }) => {
    if (peers === undefined) return;
    const { wrong, equal } = await compare(peers, made, table);
    console.log(`crash's commands, ${subject}, ${id}: ${equal} of ${table.length} lines equal, the others differ as listed`);
    expect(wrong).toEqual([]);
  });
});
