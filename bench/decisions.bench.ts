/** What is decided for each batch or range beside the copying: sequences, aborted transactions, share groups, messages of a turn. */

import { asOffset } from '../src/base/numbers.ts';
import { AcknowledgeType } from '../src/broker/share/acknowledging.ts';
import { SharePartition } from '../src/broker/share/share-partition.ts';
import { CommittedBatches } from '../src/records/committed-batches.ts';
import { attributeBit, batchField, batchHeaderSizeBytes, currentMagic } from '../src/records/record-batch.ts';
import { GatheredMessages } from '../src/server/gathered-messages.ts';
import { ProducerState } from '../src/storage/producer-state.ts';
import { type Benchmark, repeated } from './benchmark.ts';

const batchesPerRun = 64;
const recordsPerBatch = 100;

export function decisionBenchmarks(): Benchmark[] {
  return [sequenceBenchmark(), committedBenchmark(), shareBenchmark(), gatheredBenchmark()];
}

/** Many idempotent producers in turn, each batch right behind the producer's last, and written at once. */
function sequenceBenchmark(): Benchmark {
  const producers = 50;
  const state = new ProducerState();
  let applied = 0;
  const next = new Map<number, number>();
  let counted = 0;
  return {
    name: `sequences of batches from ${producers} idempotent producers`,
    unit: 'calls',
    unitsPerRun: batchesPerRun,
    bytesPerRun: 0,
    contenders: [
      {
        name: 'ProducerState',
        run: repeated(batchesPerRun, (i) => {
          const round = Math.floor(applied / producers);
          const batch = {
            producerId: applied % producers,
            producerEpoch: 0,
            baseSequence: (round * recordsPerBatch) % 2 ** 31,
            lastOffsetDelta: recordsPerBatch - 1,
            maxTimestampMs: 1,
            isTransactional: false,
          };
          if (state.decide(batch, 'client').outcome !== 'accept') return -1;
          state.apply(batch, asOffset(applied * recordsPerBatch));
          applied++;
          state.settleUpTo(asOffset(applied * recordsPerBatch));
          return i;
        }),
      },
      {
        name: 'a Map of the next sequence alone',
        run: repeated(batchesPerRun, (i) => {
          const producerId = counted % producers;
          const baseSequence = (Math.floor(counted / producers) * recordsPerBatch) % 2 ** 31;
          counted++;
          if ((next.get(producerId) ?? 0) !== baseSequence) return -1;
          next.set(producerId, (baseSequence + recordsPerBatch) % 2 ** 31);
          return i;
        }),
      },
    ],
  };
}

/** The headers of batches of several transactional producers, every fourth transaction of which was aborted. */
function committedBenchmark(): Benchmark {
  const producers = 16;
  const bytes = new Uint8Array(batchesPerRun * batchHeaderSizeBytes);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < batchesPerRun; i++) {
    const at = i * batchHeaderSizeBytes;
    view.setBigInt64(at + batchField.baseOffset, BigInt(i * recordsPerBatch));
    view.setUint8(at + batchField.magic, currentMagic);
    view.setInt16(at + batchField.attributes, attributeBit.transactional);
    view.setInt32(at + batchField.lastOffsetDelta, recordsPerBatch - 1);
    view.setBigInt64(at + batchField.producerId, BigInt(i % producers));
  }
  const aborted = Array.from({ length: producers / 4 }, (_, i) => ({ producerId: i * 4, firstOffset: i * 4 }));
  return {
    name: 'a fetch of 64 transactional batches, of which a quarter was aborted',
    unit: 'calls',
    unitsPerRun: batchesPerRun,
    bytesPerRun: 0,
    contenders: [
      {
        name: 'CommittedBatches',
        run() {
          const batches = new CommittedBatches(aborted);
          let hidden = 0;
          for (let at = 0; at < bytes.length; at += batchHeaderSizeBytes) {
            if (batches.hides(bytes, at, batchHeaderSizeBytes)) hidden++;
          }
          return hidden;
        },
      },
      {
        name: 'a search of the whole list for each batch',
        run() {
          let hidden = 0;
          for (let at = 0; at < bytes.length; at += batchHeaderSizeBytes) {
            const producerId = Number(view.getBigInt64(at + batchField.producerId));
            const lastOffset = Number(view.getBigInt64(at + batchField.baseOffset)) + recordsPerBatch - 1;
            if (aborted.some((range) => range.producerId === producerId && range.firstOffset <= lastOffset)) hidden++;
          }
          return hidden;
        },
      },
    ],
  };
}

/** A member acquires records and accepts all of them, again and again. */
function shareBenchmark(): Benchmark {
  const records = 500;
  const partition = new SharePartition(0);
  const rules = { deliveryLimit: 5, setsAside: false, mayRenew: false, lockedUntilMs: 1000 };
  let known = new Map<number, 'acquired' | 'done'>();
  let startOffset = 0;
  return {
    name: `${records} records acquired by a share group's member, and accepted`,
    unit: 'records',
    unitsPerRun: records,
    bytesPerRun: 0,
    contenders: [
      {
        name: 'SharePartition',
        run() {
          const first = partition.endOffset;
          const lastOffset = first + records - 1;
          const [range] = partition.acquire({
            memberId: 'member',
            mode: 'batch optimized',
            batchSize: records,
            maxRecords: records,
            maxLocks: 2000,
            deliveryLimit: 5,
            lockedUntilMs: 1000,
            fetchOffset: first,
            batches: [{ baseOffset: first, lastOffset }],
          });
          partition.acknowledge('member', [{ ...range!, acknowledgeTypes: [AcknowledgeType.ACCEPT] }], rules);
          partition.takeChanges();
          return partition.startOffset - first;
        },
      },
      {
        name: 'a Map of each record',
        run() {
          const first = startOffset;
          for (let offset = first; offset < first + records; offset++) known.set(offset, 'acquired');
          for (let offset = first; offset < first + records; offset++) known.set(offset, 'done');
          while (known.get(startOffset) === 'done') startOffset++;
          known = new Map();
          return startOffset - first;
        },
      },
    ],
  };
}

/** Messages of several WebSockets in one turn, served as what one read brings. */
function gatheredBenchmark(): Benchmark {
  const messageBytes = 4096;
  const links = 4;
  const message = new Uint8Array(messageBytes).fill(1);
  let taken = 0;
  const takers = Array.from({ length: links }, () => ({
    takeBytes: (bytes: Uint8Array) => void (taken += bytes.length),
  }));
  const gathered = new GatheredMessages({ afterTurn: () => {} });
  return {
    name: `${batchesPerRun} messages of 4 KiB of ${links} WebSockets, gathered in a turn`,
    unit: 'calls',
    unitsPerRun: batchesPerRun,
    bytesPerRun: batchesPerRun * messageBytes,
    contenders: [
      {
        name: 'GatheredMessages',
        run() {
          taken = 0;
          for (let i = 0; i < batchesPerRun; i++)
            gathered.add(takers[Math.floor((i * links) / batchesPerRun)]!, message);
          gathered.passOn();
          return taken;
        },
      },
      {
        name: 'a Buffer of each link, put together',
        run() {
          taken = 0;
          for (const taker of takers) {
            const parts: Uint8Array[] = [];
            for (let i = 0; i < batchesPerRun / links; i++) parts.push(message.slice());
            taker.takeBytes(Buffer.concat(parts));
          }
          return taken;
        },
      },
    ],
  };
}
