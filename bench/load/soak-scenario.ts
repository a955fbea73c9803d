/** Much more than the broker may keep goes through it: memory, descriptors and throughput are to stay as at the start. */

import type { ResultRow } from './figures.ts';
import { spreadsOf } from './figures.ts';
import { KafkaAdmin } from './kafka-admin.ts';
import { measureLoad } from './measured-load.ts';
import { jobOf, type ProduceCase } from './produce-case.ts';
import type { Scenario } from './scenario.ts';
import { ServerUnderTest } from './server-under-test.ts';

const parts = 10;
const partitionCount = 12;
const topic = 'load';
/** Small against what goes through, so that segments are rolled and deleted all the while. */
const segmentsPerPart = 4;
const load: ProduceCase = {
  what: '',
  recordBytes: 1024,
  batchBytes: 256 * 1024,
  acks: 1,
  inFlight: 8,
  partitionCount,
};

const soak: Scenario = {
  name: 'soak',
  title: 'much data through small retention, 12 partitions, 1 KiB, acks=1 (--soak GB says how much)',
  async run({ sizes, millrace, dataParent, note }) {
    const partBytes = sizes.soakBytes / parts;
    const segmentBytes = Math.min(Math.max(Math.round(partBytes / partitionCount / segmentsPerPart), 2 ** 20), 2 ** 28);
    const settings = { 'log.retention.check.interval.ms': '1000' };
    const kind = millrace(settings);
    await using server = await ServerUnderTest.start(kind, dataParent);
    const admin = await KafkaAdmin.connect(server.doors);
    await admin.createTopic(topic, partitionCount, {
      'retention.bytes': String(segmentBytes * 2),
      'segment.bytes': String(segmentBytes),
    });
    const rows: ResultRow[] = [];
    const requests = Math.ceil(partBytes / load.batchBytes);
    let acknowledged = 0;
    for (let part = 1; part <= parts; part++) {
      const job = { ...jobOf(load, { ...sizes, requests, loadMs: Infinity }), doors: server.doors };
      const { result, figures } = await measureLoad(server, job);
      acknowledged += result.records;
      const { bytesPerSecond, brokerCpuSecondsPerGb, rssMiB, peakRssMiB } = figures;
      const descriptors = server.openDescriptors;
      const what = `${((part * partBytes) / 1e9).toPrecision(3)} GB through`;
      note(`soak: ${what}, ${Math.round(rssMiB!)} MiB, ${descriptors} descriptors`);
      const spreads = spreadsOf([{ bytesPerSecond, brokerCpuSecondsPerGb, rssMiB, peakRssMiB, descriptors } as never]);
      const at = String(Number(((part * partBytes) / 1e9).toPrecision(2)));
      const sweep = { title: 'gigabytes through it', at, line: kind.name };
      rows.push({ scenario: 'soak', what, who: kind.name, figures: spreads, rounds: 1, repeated: 0, sweep });
    }
    const ends = await admin.endOffsets(topic, partitionCount);
    admin.close();
    const found = ends.reduce((sum, end) => sum + end, 0);
    if (found !== acknowledged)
      throw new Error(`${acknowledged} records were acknowledged, and the logs end at ${found}.`);
    return rows;
  },
};

export const soakScenarios: readonly Scenario[] = [soak];
