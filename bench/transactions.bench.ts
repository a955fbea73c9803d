/** What transactions cost beside their records: writes let into one that is open, and a marker for each that ends. */

import { crc32c as nativeCrc32c } from '@node-rs/crc32';
import { present } from '../src/base/assert.ts';
import { ErrorCode } from '../src/base/error-code.ts';
import { BatchBuilder } from '../src/records/batch-builder.ts';
import type { Benchmark } from './benchmark.ts';
import { LogByHand } from './by-hand.ts';
import { InProcessBroker } from './in-process-broker.ts';
import { SequencePatcher } from './load/prepared-batch.ts';

const admissionsPerRun = 64;
const transactionsPerRun = 16;
const partitionCount = 10;
/** As long as a broker allows: longer than all benchmarks take. */
const timeoutMs = 900_000;
const logBytes = 2 ** 25;
/** Of producers that no coordinator knows: the log alone is asked. */
const firstProducerId = 1_000_000;
const controlKey = Buffer.from([0, 0, 0, 1]);
const controlValue = Buffer.from([0, 0, 0, 0, 0, 0]);

export async function transactionBenchmarks(): Promise<Benchmark[]> {
  const broker = await InProcessBroker.open();
  return [await admissions(broker), await markers(broker)];
}

/** Each asks for a partition of a transaction that is open and has it, as all batches but the first in a partition do. */
async function admissions(broker: InProcessBroker): Promise<Benchmark> {
  const { transactions, topics } = broker.broker;
  const transactionalId = 'bench';
  const { producerId, producerEpoch } = await transactions.initProducer(transactionalId, timeoutMs, null);
  const { name: topic } = await broker.newTopic(partitionCount);
  const topicId = present(topics.topic(topic), 'it was made').id;
  const requests = Array.from({ length: partitionCount }, (_, partition) => ({
    transactionalId,
    producerId,
    producerEpoch,
    partitions: [{ topicId, topic, partition }],
    version: 2,
  })) satisfies Parameters<typeof transactions.admission.admit>[0][];
  let admitted = 0;
  const listener = (errorCodes: readonly ErrorCode[]): void => {
    for (const errorCode of errorCodes) if (errorCode === ErrorCode.NONE) admitted++;
  };
  for (const request of requests) transactions.admission.admit(request, listener);
  await broker.stepUntil(() => admitted === partitionCount);
  const open = new Map([[transactionalId, { producerId, producerEpoch, partitions: new Set(requests.map(keyOf)) }]]);
  return {
    name: 'batches let into an open transaction',
    unit: 'calls',
    unitsPerRun: admissionsPerRun,
    bytesPerRun: 0,
    contenders: [
      {
        name: 'TransactionAdmission',
        run() {
          admitted = 0;
          for (let i = 0; i < admissionsPerRun; i++)
            transactions.admission.admit(requests[i % partitionCount]!, listener);
          return admitted;
        },
      },
      {
        name: 'a Map and a Set of texts',
        run() {
          let found = 0;
          for (let i = 0; i < admissionsPerRun; i++) {
            const request = requests[i % partitionCount]!;
            const known = open.get(request.transactionalId);
            const isProducer = known?.producerId === producerId && known.producerEpoch === producerEpoch;
            if (isProducer && known.partitions.has(keyOf(request))) found++;
          }
          return found;
        },
      },
    ],
  };
}

function keyOf({ partitions }: { readonly partitions: readonly { topic: string; partition: number }[] }): string {
  return `${partitions[0]!.topic}/${partitions[0]!.partition}`;
}

/** Transactions of one record each: its batch and its marker, written and synced to files that take no time. */
async function markers(broker: InProcessBroker): Promise<Benchmark> {
  const { logs } = await broker.newTopic();
  const log = logs[0]!;
  const batches = Array.from({ length: transactionsPerRun }, (_, i) => transactionalBatch(firstProducerId + i));
  const byHand = new LogByHand(logBytes);
  let round = 0;
  let rivalRound = 0;
  const patched = (sequence: number): void => {
    for (const { bytes, patcher } of batches) patcher.patch(bytes, 0, sequence);
  };
  return {
    name: `${transactionsPerRun} transactions of a record, their batches and markers`,
    unit: 'calls',
    unitsPerRun: transactionsPerRun,
    bytesPerRun: 0,
    contenders: [
      {
        name: 'PartitionLog.append, appendMarker, FlushRound',
        async run() {
          patched(round++);
          let done = 0;
          const take = ({ errorCode }: { readonly errorCode: ErrorCode }): void => {
            if (errorCode !== ErrorCode.NONE) throw new Error(`The log says ${errorCode}.`);
            done++;
          };
          for (const { bytes } of batches) log.append(bytes, { durability: 'written', origin: 'client' }, take);
          for (const { producerId } of batches) {
            log.appendMarker({ producerId, producerEpoch: 0, coordinatorEpoch: 0, outcome: 'commit' }, take);
          }
          await broker.stepUntil(() => done === 2 * transactionsPerRun);
          return transactionsPerRun;
        },
      },
      {
        name: 'by hand: native CRC, a Set of open transactions, BatchBuilder',
        run() {
          patched(rivalRound++);
          const open = new Set<number>();
          let ended = 0;
          for (const { bytes, producerId } of batches) {
            byHand.append(bytes);
            open.add(producerId);
          }
          for (const { producerId } of batches) {
            byHand.append(controlBatch(producerId));
            if (open.delete(producerId)) ended++;
          }
          return ended;
        },
      },
    ],
  };
}

function transactionalBatch(producerId: number) {
  const options = { producerId, producerEpoch: 0, baseSequence: 0, transactional: true };
  const builder = new BatchBuilder((bytes) => nativeCrc32c(bytes), options);
  builder.append({ key: null, value: Buffer.alloc(100, 1), timestampMs: Date.now() });
  const bytes = builder.seal();
  return { producerId, bytes, patcher: new SequencePatcher(bytes) };
}

function controlBatch(producerId: number): Uint8Array {
  const options = { producerId, producerEpoch: 0, transactional: true, control: true };
  const builder = new BatchBuilder((bytes) => nativeCrc32c(bytes), options);
  builder.append({ key: controlKey, value: controlValue, timestampMs: Date.now() });
  return builder.seal();
}
