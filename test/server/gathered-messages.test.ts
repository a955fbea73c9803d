/** What WebSockets bring in a turn is passed on together, each one's in its order. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GatheredMessages, type MessageTaker } from '../../src/server/gathered-messages.ts';

/** Turns of the event loop that end when the test says so. */
class Turns {
  #callbacks: (() => void)[] = [];

  afterTurn(callback: () => void): void {
    this.#callbacks.push(callback);
  }

  get scheduled(): number {
    return this.#callbacks.length;
  }

  end(): void {
    for (const callback of this.#callbacks.splice(0)) callback();
  }
}

class Taker implements MessageTaker {
  readonly calls: string[] = [];

  takeBytes(bytes: Uint8Array): void {
    this.calls.push(Buffer.from(bytes).toString('latin1'));
  }
}

describe('messages of one turn', () => {
  it('are passed on once it ends, in the order in which they came, those in a row together', () => {
    const turns = new Turns();
    const gathered = new GatheredMessages(turns);
    const order: string[] = [];
    const takers = ['a', 'b'].map((name): MessageTaker => ({
      takeBytes: (bytes) => void order.push(`${name} ${Buffer.from(bytes).toString()}`),
    }));
    const message = Buffer.alloc(2);
    for (const [taker, text] of [
      [0, '01'],
      [0, '02'],
      [1, '03'],
      [0, '04'],
    ] as const) {
      message.write(text);
      gathered.add(takers[taker]!, message);
    }
    // As uWebSockets.js does with its own.
    message.fill('x');
    expect([order, turns.scheduled]).toEqual([[], 1]);
    turns.end();
    expect(order).toEqual(['a 0102', 'b 03', 'a 04']);
    turns.end();
    expect(order.length).toBe(3);
    gathered.add(takers[1]!, Buffer.from('05'));
    turns.end();
    expect(order.at(-1)).toBe('b 05');
  });

  it('keep each stream whole, whatever sizes messages have', () => {
    const message = fc.record({
      taker: fc.nat({ max: 2 }),
      sizeBytes: fc.oneof(fc.nat({ max: 300 }), fc.constantFrom(0, 65_535, 65_536, 100_000, 262_144, 300_000)),
      endsTurn: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(message, { maxLength: 40 }), (messages) => {
        const turns = new Turns();
        const gathered = new GatheredMessages(turns);
        const takers = [new Taker(), new Taker(), new Taker()];
        const sent = ['', '', ''];
        for (const [i, { taker, sizeBytes, endsTurn }] of messages.entries()) {
          const text = String.fromCodePoint(i + 1).repeat(sizeBytes);
          sent[taker] += text;
          gathered.add(takers[taker]!, Buffer.from(text, 'latin1'));
          if (endsTurn) turns.end();
        }
        turns.end();
        expect(takers.map(({ calls }) => calls.join(''))).toEqual(sent);
      }),
    );
  });

  it('do not wait for a turn where they are large, nor those before them', () => {
    const gathered = new GatheredMessages(new Turns());
    const taker = new Taker();
    gathered.add(taker, Buffer.from('small'));
    gathered.add(taker, Buffer.alloc(64 * 1024));
    expect(taker.calls.map(({ length }) => length)).toEqual([5, 64 * 1024]);
  });

  it('are passed on once where a taker asks for it from within', () => {
    const gathered = new GatheredMessages(new Turns());
    const calls: number[] = [];
    const taker: MessageTaker = {
      takeBytes(bytes) {
        calls.push(bytes.length);
        gathered.passOn();
      },
    };
    gathered.add(taker, Buffer.alloc(7));
    gathered.passOn();
    expect(calls).toEqual([7]);
  });
});
