/** dev and sbitmapq. */
import { after, type CompatLine, differs, oneLine, ours, same } from "../crash-compat-difference.ts";

export const DEVICES: readonly CompatLine[] = [
  ...same("dev", "dev -i", "dev -p", "dev -V", "dev -v 0"),
  ...differs(
    {
      why: "crash heads the counts ASYNC and SYNC on kernels up to 5.15, and counts reads and writes",
      sometimes: true,
      holds: after((text) => text.replace("TOTAL ASYNC  SYNC", "TOTAL  READ WRITE")),
    },
    "dev -d",
    "dev -D",
  ),
  ...differs(
    {
      why: "crash stops at the wait states of kernels since 6.1, whose counter is gone",
      sometimes: true,
      holds: (crash, inquest) =>
        /invalid structure member offset/.test(crash) && /^depth = 256[\s\S]*ws = \{[\s\S]*^00000010: /m.test(inquest),
    },
    "sbitmapq {sbitmap}",
    "sbitmapq -x {sbitmap}",
    "sbitmapq -d {sbitmap}",
  ),
  // Nothing is in flight on these dumps: no used bit, no structure. Dumps with requests are held against the guest (device-truth.test.ts).
  ...same(
    "sbitmapq -s request -a {init_task} {sbitmap}",
    "sbitmapq -s request.tag -a {init_task} -p {sbitmap}",
    "sbitmapq -s request -a {init_task} -p -v {sbitmap}",
  ),
  ...differs(
    { why: "a wrong line is told on one line", holds: oneLine },
    "sbitmapq 1",
    "sbitmapq -s request {sbitmap}",
    "sbitmapq -p {sbitmap}",
  ),
  ...differs({ why: "a wrong line is told on one line", holds: ours(/^sbitmapq: usage: sbitmapq /) }, "sbitmapq"),
];
