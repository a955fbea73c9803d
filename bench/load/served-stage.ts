/**
 * What a produce request takes between a door and the file system, beside its bytes: cut from the stream, decoded, routed,
 * appended, handed over, answered. One record a request, so that there are hardly any bytes. Main thread.
 *
 *   receive × 64 ─► [flush round] ─► completions ─► answers        in this thread; the round is timed by itself
 */

import { defaultProduceRequest, produceApi } from '../../src/protocol/generated/index.ts';
import { zeroUuid } from '../../src/base/uuid.ts';
import { InProcessDoor } from '../door.ts';
import { InProcessBroker, prefixed, requestFrame } from '../in-process-broker.ts';
import { filledBuilder } from '../material.ts';
import type { Figures } from './figures.ts';
import { produceVersion } from './produce-frames.ts';
import type { ScenarioContext } from './scenario.ts';

const requestsAtOnce = 64;
const recordBytes = 100;
const longestSettlingMs = 3000;

function settleMs({ isQuick }: ScenarioContext['sizes']): number {
  return isQuick ? 0 : longestSettlingMs;
}

/** Microseconds a request of either thread. */
export async function servedRound({ sizes }: ScenarioContext): Promise<Figures> {
  const broker = await InProcessBroker.open();
  const { name } = await broker.newTopic();
  const records = filledBuilder(recordBytes, 1).seal();
  const topicData = [{ name, topicId: zeroUuid, partitionData: [{ index: 0, records }] }];
  const fields = { ...defaultProduceRequest(), acks: 1, timeoutMs: 30_000, topicData };
  const chunk = Buffer.concat(
    Array.from({ length: requestsAtOnce }, () => prefixed(requestFrame(produceApi, produceVersion, fields))),
  );
  const door = new InProcessDoor(broker);
  let [ioMs, workerMs, requests] = [0, 0, 0];
  const countedFromMs = performance.now() + settleMs(sizes);
  for (let turn = 0; performance.now() - countedFromMs < sizes.loadMs || turn < 2; turn++) {
    const beganMs = performance.now();
    door.pipeline.receive(chunk);
    // What a turn appends is submitted at its end, in a microtask.
    await Promise.resolve();
    const receivedMs = performance.now();
    broker.write();
    const writtenMs = performance.now();
    broker.complete();
    // Where the compiler makes it slow, the pipeline puts off what is left to another turn.
    await door.answered((turn) => (turn === 0 ? Promise.resolve() : broker.step()));
    const endedMs = performance.now();
    // Until then much of the time is the compiler's.
    if (beganMs < countedFromMs) continue;
    ioMs += receivedMs - beganMs + (endedMs - writtenMs);
    workerMs += writtenMs - receivedMs;
    requests += requestsAtOnce;
  }
  return { ioMicroseconds: (ioMs * 1000) / requests, workerMicroseconds: (workerMs * 1000) / requests };
}
