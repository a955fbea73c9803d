import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ErrorCode } from '../../src/base/error-code.ts';
import { asOffset } from '../../src/base/numbers.ts';
import { ProducerState } from '../../src/storage/producer-state.ts';
import { type ProducedBatch, sequencePlus } from '../../src/storage/producer-rules.ts';

const lastSequence = 2 ** 31 - 1;

function batch(baseSequence: number, count = 1, producerEpoch = 0, producerId = 7): ProducedBatch {
  return {
    producerId,
    producerEpoch,
    baseSequence,
    lastOffsetDelta: count - 1,
    maxTimestampMs: 1000,
    isTransactional: false,
  };
}

/** Decides, and applies where the decision is to accept; returns the outcome or the error code. */
function send(state: ProducerState, sent: ProducedBatch, offset: number): string | number {
  const decision = state.decide(sent, 'client');
  if (decision.outcome === 'accept') state.apply(sent, asOffset(offset));
  return decision.outcome === 'refuse' ? decision.errorCode : decision.outcome;
}

describe('producer state', () => {
  it('accepts any first sequence of a producer that it does not know', () => {
    const state = new ProducerState();
    expect(send(state, batch(41, 3, 5), 0)).toBe('accept');
    expect(send(state, batch(44, 1, 5), 3)).toBe('accept');
  });

  it('refuses a gap and a step back beyond what it remembers', () => {
    const state = new ProducerState();
    for (let i = 0; i < 7; i++) send(state, batch(i), i);
    expect(send(state, batch(8), 7)).toBe(ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER);
    expect(send(state, batch(1), 7)).toBe(ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER);
    expect(send(state, batch(2), 7)).toBe('duplicate');
    expect(send(state, batch(7), 7)).toBe('accept');
  });

  it('answers each of the last five batches with its own offsets', () => {
    const state = new ProducerState();
    for (let i = 0; i < 5; i++) send(state, batch(i * 3, 3), 100 + i * 10);
    for (let i = 0; i < 5; i++) {
      expect(state.decide(batch(i * 3, 3), 'client')).toEqual({
        outcome: 'duplicate',
        baseOffset: 100 + i * 10,
        lastOffset: 102 + i * 10,
        timestampMs: 1000,
      });
    }
    // The same first sequence with another length is no retry of the same batch.
    expect(send(state, batch(12, 2), 200)).toBe(ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER);
  });

  it('lets 0 follow the largest sequence, between batches and within one', () => {
    const state = new ProducerState();
    expect(send(state, batch(lastSequence), 0)).toBe('accept');
    expect(send(state, batch(0), 1)).toBe('accept');
    const within = new ProducerState();
    expect(send(within, batch(lastSequence - 1, 4), 0)).toBe('accept');
    expect(send(within, batch(lastSequence - 1, 4), 4)).toBe('duplicate');
    expect(send(within, batch(2), 4)).toBe('accept');
    expect(sequencePlus(lastSequence, 0)).toBe(lastSequence);
    expect(sequencePlus(lastSequence, 1)).toBe(0);
  });

  it('fences old epochs and wants sequence 0 of a new one', () => {
    const state = new ProducerState();
    send(state, batch(0, 5, 1), 0);
    expect(send(state, batch(5, 1, 0), 5)).toBe(ErrorCode.INVALID_PRODUCER_EPOCH);
    expect(send(state, batch(5, 1, 2), 5)).toBe(ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER);
    expect(send(state, batch(0, 5, 2), 5)).toBe('accept');
    // The batch of the epoch before has the same sequences and is no duplicate of it.
    expect(send(state, batch(0, 5, 1), 10)).toBe(ErrorCode.INVALID_PRODUCER_EPOCH);
    expect(send(state, batch(5, 1, 2), 10)).toBe('accept');
  });

  it('checks only the epoch of what a coordinator writes', () => {
    const state = new ProducerState();
    const unsequenced = batch(-1, 1, 3);
    expect(state.decide(unsequenced, 'coordinator').outcome).toBe('accept');
    state.apply(unsequenced, asOffset(0));
    expect(state.decide(unsequenced, 'coordinator').outcome).toBe('accept');
    expect(state.decide(batch(-1, 1, 2), 'coordinator')).toMatchObject({
      errorCode: ErrorCode.INVALID_PRODUCER_EPOCH,
    });
  });

  it('forgets producers that were silent for long, but not what still waits for its write', () => {
    const state = new ProducerState();
    send(state, batch(0, 1, 0, 1), 0);
    send(state, batch(0, 1, 0, 2), 1);
    state.settleUpTo(asOffset(1));
    expect(state.expire(1999, 1000)).toBe(0);
    expect(state.expire(2000, 1000)).toBe(1);
    expect(state.activeProducers().map((producer) => producer.producerId)).toEqual([2]);
    state.settleUpTo(asOffset(2));
    expect(state.expire(2000, 1000)).toBe(1);
    expect(state.size).toBe(0);
  });

  it('keeps a producer whose transaction is open', () => {
    const state = new ProducerState();
    state.load([{ ...snapshotEntry, currentTransactionFirstOffset: 4 }]);
    expect(state.expire(1e15, 1)).toBe(0);
  });

  it('goes on from a snapshot as from the state itself, for the last batch', () => {
    const state = new ProducerState();
    send(state, batch(0, 3, 2), 10);
    state.settleUpTo(asOffset(13));
    const restored = new ProducerState();
    restored.load(state.entries());
    expect(restored.entries()).toEqual(state.entries());
    expect(send(restored, batch(0, 3, 2), 13)).toBe('duplicate');
    expect(send(restored, batch(4, 1, 2), 13)).toBe(ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER);
    expect(send(restored, batch(3, 1, 2), 13)).toBe('accept');
  });

  it('is, after a rollback, as if the batches rolled back had never come', () => {
    const sends = fc.array(
      fc.record({
        producerId: fc.nat(2),
        epochStep: fc.constantFrom(0, 0, 0, 0, 0, 1),
        count: fc.integer({ min: 1, max: 3 }),
        settle: fc.constantFrom(false, false, true),
      }),
      { maxLength: 40 },
    );
    fc.assert(
      fc.property(sends, fc.nat(40), (steps, cut) => {
        const real = new ProducerState();
        const model = new ProducerState();
        const epochs = [0, 0, 0];
        const next = [0, 0, 0];
        const written: ProducedBatch[] = [];
        let offset = 0;
        let cutOffset = -1;
        for (const [index, step] of steps.entries()) {
          if (index === cut) cutOffset = offset;
          const id = step.producerId;
          if (step.epochStep === 1) {
            epochs[id]!++;
            next[id] = 0;
          }
          const sent = batch(next[id]!, step.count, epochs[id]!, id);
          next[id]! += step.count;
          expect(send(real, sent, offset)).toBe('accept');
          if (cutOffset < 0) {
            model.apply(sent, asOffset(offset));
            written.push(sent);
            if (step.settle) real.settleUpTo(asOffset(offset + step.count));
          }
          offset += step.count;
        }
        const end = asOffset(cutOffset < 0 ? offset : cutOffset);
        real.rollBackTo(end);
        real.settleUpTo(end);
        model.settleUpTo(end);
        expect(real.entries().toSorted((a, b) => a.producerId - b.producerId)).toEqual(
          model.entries().toSorted((a, b) => a.producerId - b.producerId),
        );
        for (const sent of written) expect(real.decide(sent, 'client')).toEqual(model.decide(sent, 'client'));
      }),
    );
  });
});

const snapshotEntry = {
  producerId: 1,
  producerEpoch: 0,
  lastSequence: 0,
  lastOffset: 4,
  offsetDelta: 0,
  timestampMs: 0,
  coordinatorEpoch: -1,
  currentTransactionFirstOffset: -1,
};

it('a producer whose first batches were taken back has to begin with the first of them again', () => {
  const state = new ProducerState();
  const batch = (baseSequence: number, producerEpoch = 0) => ({
    producerId: 7,
    producerEpoch,
    baseSequence,
    lastOffsetDelta: 0,
    maxTimestampMs: 1,
    isTransactional: false,
  });
  state.apply(batch(3), asOffset(0));
  state.apply(batch(4), asOffset(1));
  state.rollBackTo(asOffset(0));
  expect(state.decide(batch(4), 'client')).toMatchObject({ outcome: 'refuse' });
  expect(state.decide(batch(0, 1), 'client')).toEqual({ outcome: 'accept' });
  expect(state.decide(batch(3), 'client')).toEqual({ outcome: 'accept' });
  state.apply(batch(3), asOffset(0));
  state.settleUpTo(asOffset(1));
  expect(state.decide(batch(4), 'client')).toEqual({ outcome: 'accept' });
});
