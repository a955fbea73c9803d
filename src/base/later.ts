/**
 * A value that comes later, for one who waits: what a promise is, without its turn of the microtask queue, its reactions and
 * its closures, which are a good part of what a small request costs. Any thread.
 *
 *   waiting ──settle──► settled          the listener hears of it within the call
 *      └──────fail────► failed
 *
 * It is for what every request of the hot path goes through; elsewhere a promise is right. Whoever awaits one gets a promise.
 */

import { assert } from './assert.ts';

/** Who hears of a `Later`, once, of one of both. It throws nothing: that would come to whoever settles, in the midst of others' work. */
export interface LaterListener<Value> {
  settled(value: Value): void;
  failed(error: unknown): void;
}

const waiting = 0;
const isSettled = 1;
const hasFailed = 2;

export class Later<Value> implements PromiseLike<Value> {
  #state = waiting;
  /** The value or the error. */
  #outcome: unknown = null;
  #listener: LaterListener<Value> | null = null;

  /** Gives the value; only once, and not after `fail`. */
  settle(value: Value): void {
    assert(this.#state === waiting, 'a value comes once');
    this.#state = isSettled;
    this.#outcome = value;
    this.#listener?.settled(value);
  }

  /** Gives an error in place of the value. */
  fail(error: unknown): void {
    assert(this.#state === waiting, 'a value comes once');
    this.#state = hasFailed;
    this.#outcome = error;
    this.#listener?.failed(error);
  }

  /** Has `listener` told, at once where the value is there already. There is one listener. */
  listen(listener: LaterListener<Value>): void {
    assert(this.#listener === null, 'one waits for a value');
    this.#listener = listener;
    if (this.#state === isSettled) listener.settled(this.#outcome as Value);
    else if (this.#state === hasFailed) listener.failed(this.#outcome);
  }

  /** For `await`; as `listen`. */
  // oxlint-disable-next-line unicorn/no-thenable -- handlers and services are awaited where it does not matter what they give.
  then<Result = Value, Failed = never>(
    onValue?: ((value: Value) => Result | PromiseLike<Result>) | null,
    onError?: ((error: unknown) => Failed | PromiseLike<Failed>) | null,
  ): Promise<Result | Failed> {
    return new Promise<Value>((resolve, reject) => this.listen({ settled: resolve, failed: reject })).then(
      onValue,
      onError,
    );
  }
}
