/** Every benchmark there is. */

import { appendBenchmarks } from './appends.bench.ts';
import { assignorBenchmarks } from './assignors.bench.ts';
import type { Benchmark } from './benchmark.ts';
import { batchBenchmarks } from './batches.bench.ts';
import { checksumBenchmarks } from './checksum.bench.ts';
import { clientBenchmarks } from './client.bench.ts';
import { codecBenchmarks } from './codecs.bench.ts';
import { compactionBenchmarks } from './compaction.bench.ts';
import { decisionBenchmarks } from './decisions.bench.ts';
import { directFileBenchmarks } from './direct-file.bench.ts';
import { doorBenchmarks } from './doors.bench.ts';
import { eventBenchmarks } from './events.bench.ts';
import { fetchStateBenchmarks } from './fetch-state.bench.ts';
import { gatewayBenchmarks } from './gateway.bench.ts';
import { inPlaceBenchmarks } from './in-place.bench.ts';
import { indexBenchmarks } from './indexes.bench.ts';
import { inflationBenchmarks } from './inflation.bench.ts';
import { jsonBenchmarks } from './json.bench.ts';
import { logBenchmarks } from './log.bench.ts';
import { primitiveBenchmarks } from './primitives.bench.ts';
import { publishingBenchmarks } from './publishing.bench.ts';
import { queueBenchmarks } from './queues.bench.ts';
import { recompressionBenchmarks } from './recompression.bench.ts';
import { requestCodecBenchmarks } from './request-codecs.bench.ts';
import { requestBenchmarks } from './requests.bench.ts';
import { transactionBenchmarks } from './transactions.bench.ts';
import { varintBenchmarks } from './varints.bench.ts';

export async function benchmarks(): Promise<Benchmark[]> {
  return [
    ...checksumBenchmarks(),
    ...batchBenchmarks(),
    ...inflationBenchmarks(),
    ...recompressionBenchmarks(),
    ...codecBenchmarks(),
    ...requestCodecBenchmarks(),
    ...primitiveBenchmarks(),
    ...(await requestBenchmarks()),
    ...(await logBenchmarks()),
    ...(await transactionBenchmarks()),
    ...(await publishingBenchmarks()),
    ...queueBenchmarks(),
    ...inPlaceBenchmarks(),
    ...appendBenchmarks(),
    ...directFileBenchmarks(),
    ...fetchStateBenchmarks(),
    ...decisionBenchmarks(),
    ...indexBenchmarks(),
    ...varintBenchmarks(),
    ...gatewayBenchmarks(),
    ...clientBenchmarks(),
    ...jsonBenchmarks(),
    ...doorBenchmarks(),
    ...eventBenchmarks(),
    ...compactionBenchmarks(),
    ...assignorBenchmarks(),
  ];
}
