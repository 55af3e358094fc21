/**
 * crash's habits keep working: some 400 command lines in crash 9 (with its vmlinux) and in Inquest (without) on the same dump. Every answer
 * is crash's, or is listed in crash-compat-table.ts with the reason why not. Needs the peers (`lab peers`) and a case's vmlinux
 * (`lab make --case 6.1-amd64-null --dbg`).
 */
import { describe, expect, test } from "vitest";
import { cachedPeers } from "../../lab/peers.ts";
import { compare, compatCases } from "./crash-compat-judge.ts";
import { COMPAT_LINES } from "./crash-compat-table.ts";

const peers = cachedPeers();
const cases = compatCases("5.10-amd64-null", "6.1-amd64-null", "6.12-amd64-null");

describe.skipIf(peers === undefined || cases.length === 0)("crash's habits", () => {
  test.each(cases)("on $id every line is answered as crash answers it, or differs as listed", async (made) => {
    if (peers === undefined) return;
    const { wrong, equal } = await compare(peers, made, COMPAT_LINES);
    console.log(`crash compatibility, ${made.id}: ${equal} of ${COMPAT_LINES.length} lines equal, the others differ as listed`);
    expect(wrong).toEqual([]);
  });
});
