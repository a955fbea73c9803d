/**
 * Much more than the broker may keep goes through it: memory, descriptors, handles and throughput are to stay as at the start.
 *
 *   each part:  as many batches to each partition as fill whole segments ─► a look, once retention has deleted what it may
 *
 * So each look finds every partition at the same place between two segments, and what differs between looks is a leak.
 */

import { type Figures, plain, type ResultRow, type Spread, spreadOf, spreadsOf } from './figures.ts';
import { type Judged, roundsForFloors, settled } from './floor-verdict.ts';
import { KafkaAdmin } from './kafka-admin.ts';
import { checkRecords, measureLoad } from './measured-load.ts';
import { jobOf, type ProduceCase } from './produce-case.ts';
import { prepareBatch } from './prepared-batch.ts';
import type { Scenario, Sizes } from './scenario.ts';
import { ServerUnderTest } from './server-under-test.ts';

const fullParts = 10;
const quickParts = 3;
const partitionCount = 12;
const topic = 'load';
const retentionCheckMs = 1000;
const quickCheckMs = 50;
/** Retention has come to rest once nothing changed between so many looks in a row. */
const looksAtRest = 3;
const mostLooks = 30;
/** Small against what goes through, so that segments are rolled and deleted all the while. */
const segmentsPerPart = 4;
/** Fewer than a part fills, so that the first one leaves as many as the others. */
const keptSegments = 2;
const largestSegmentBytes = 2 ** 28;
/** As Kafka has it. */
const smallestSegmentBytes = 2 ** 20;
/** Of less the floors can be missed, and are not met. */
const provingBytes = 50e9;
/**
 * The largest part over the first, and counts at the end; of throughput, which others on the machine disturb, the last three
 * parts over the first three.
 */
const mostRssGrowth = 1.1;
const leastThroughput = 0.8;
const load: ProduceCase = {
  what: '',
  recordBytes: 1024,
  batchBytes: 256 * 1024,
  acks: 1,
  inFlight: 8,
  partitionCount,
};

/** How much is sent at a time, and what of it is kept. */
async function shapeOf({ isQuick, soakBytes }: Sizes) {
  const { bytes: batch } = await prepareBatch({ ...load, compression: 'none' });
  const parts = isQuick ? quickParts : fullParts;
  const partBytes = soakBytes / parts;
  const wantedBytes = Math.min(partBytes / partitionCount / segmentsPerPart, largestSegmentBytes);
  const batchesPerSegment = Math.ceil(Math.max(wantedBytes, smallestSegmentBytes) / batch.length);
  const segmentBytes = batchesPerSegment * batch.length;
  const segments = Math.max(Math.round(partBytes / (segmentBytes * partitionCount)), 1);
  const checkMs = isQuick ? quickCheckMs : retentionCheckMs;
  return { parts, checkMs, segmentBytes, requestsPerPart: segments * batchesPerSegment * partitionCount };
}

const soak: Scenario = {
  name: 'soak',
  title: 'much data through small retention, 12 partitions, 1 KiB, acks=1 (--soak GB says how much)',
  async run({ sizes, millrace, dataParent, machine: { commit }, note }) {
    const { parts, checkMs, segmentBytes, requestsPerPart } = await shapeOf(sizes);
    const kind = millrace({ 'log.retention.check.interval.ms': String(checkMs) });
    await using server = await ServerUnderTest.start(kind, dataParent);
    const admin = await KafkaAdmin.connect(server.doors);
    await admin.createTopic(topic, partitionCount, {
      'retention.bytes': String(segmentBytes * keptSegments),
      'segment.bytes': String(segmentBytes),
    });
    // The first answer loads what the others have.
    await handlesOf(server);
    const rows: ResultRow[] = [];
    let acknowledged = 0;
    let through = 0;
    for (let part = 1; part <= parts; part++) {
      const job = jobOf(load, { ...sizes, requests: requestsPerPart, loadMs: Infinity });
      const { result, figures } = await measureLoad(server, { ...job, doors: server.doors });
      acknowledged += result.records;
      through += result.bytes;
      const row = rowOf(kind.name, through, figures, await atRest(server, checkMs));
      note(`soak: ${row.what}, ${JSON.stringify(row.each[0])}`);
      rows.push(row);
    }
    await checkRecords(admin, { topic, partitionCount }, acknowledged);
    admin.close();
    const last = rows.pop()!;
    // Each look is one of its kind: what would be rounds elsewhere are the parts here.
    const evidence = { rounds: roundsForFloors, commit };
    const verdicts = flatness([...rows, last]).map((judged) => settled(asProof(judged, sizes.soakBytes), evidence));
    return [...rows, { ...last, verdicts }];
  },
};

function rowOf(
  who: string,
  throughBytes: number,
  { bytesPerSecond, brokerCpuSecondsPerGb, peakRssMb }: Figures,
  rest: Rest,
): ResultRow {
  const each = [{ bytesPerSecond, brokerCpuSecondsPerGb, peakRssMb, ...rest } as Figures];
  const what = `${(throughBytes / 1e9).toPrecision(3)} GB through`;
  const at = String(Number((throughBytes / 1e9).toPrecision(2)));
  const sweep = { title: 'gigabytes through it', at, line: who, figures: swept };
  return { scenario: 'soak', what, who, each, figures: spreadsOf(each), repeated: 0, disturbed: 0, sweep };
}

const swept = ['bytesPerSecond', 'brokerCpuSecondsPerGb', 'rssMiB', 'descriptors', 'handles'] as const;

type Rest = { readonly rssMiB: number; readonly descriptors: number; readonly handles: number };

/** What the broker holds once retention has nothing left to delete. */
async function atRest(server: ServerUnderTest, checkMs: number): Promise<Rest> {
  let before = -1;
  let same = 0;
  for (let look = 0; ; look++) {
    const descriptors = server.openDescriptors;
    same = descriptors === before ? same + 1 : 0;
    before = descriptors;
    if (same === looksAtRest || look === mostLooks) {
      return { rssMiB: server.memory.rssBytes / 2 ** 20, descriptors, handles: await handlesOf(server) };
    }
    await new Promise((resolve) => {
      setTimeout(resolve, checkMs / 2);
    });
  }
}

/** What keeps Node's event loop busy, as the broker's metrics tell it: sockets, timers, requests to the kernel. */
async function handlesOf({ doors: { webSocket } }: ServerUnderTest): Promise<number> {
  const response = await fetch(`http://${webSocket!.host}:${webSocket!.port}/metrics`);
  const match = /^nodejs_active_resources_total (\d+)/m.exec(await response.text());
  if (match === null) throw new Error('The metrics say nothing of nodejs_active_resources_total.');
  return Number(match[1]);
}

export function flatness(rows: readonly ResultRow[]): Judged[] {
  const at = (row: ResultRow, figure: keyof Rest): number => row.figures[figure]!.median;
  const [first, last] = [rows[0]!, rows.at(-1)!];
  const rss = Math.max(...rows.slice(1).map((row) => at(row, 'rssMiB'))) / at(first, 'rssMiB');
  const rate = (some: readonly ResultRow[]): Spread => spreadOf(some.map((row) => row.figures.bytesPerSecond!.median));
  const rates = rate(rows.slice(-3)).median / rate(rows.slice(0, 3)).median;
  const counts = (['descriptors', 'handles'] as const).map((figure) => ({
    figure,
    bound: `≤ ${at(first, figure)} as after the first part`,
    value: at(last, figure),
    isMet: at(last, figure) <= at(first, figure),
  }));
  return [
    {
      figure: 'rssMiB',
      bound: `≤ ${mostRssGrowth}× the first part's, the largest`,
      value: rss,
      isMet: rss <= mostRssGrowth,
    },
    ...counts,
    {
      figure: 'bytesPerSecond',
      bound: `≥ ${leastThroughput}× the first`,
      value: rates,
      isMet: rates >= leastThroughput,
    },
  ];
}

/** What holds of little may still not hold of much. */
export function asProof(judged: Judged, throughBytes: number): Judged {
  if (judged.isMet !== true || throughBytes >= provingBytes) return judged;
  return { ...judged, isMet: null, remark: `of ${plain(throughBytes / 1e9)} GB, ${provingBytes / 1e9} are asked for` };
}

export const soakScenarios: readonly Scenario[] = [soak];
