/**
 * Randomness as the broker uses it (ids, jitter). Everything that decides takes a `RandomSource`, so that a seed
 * reproduces a simulated run. Any thread.
 */

export interface RandomSource {
  /** Fills `target` with random bytes. */
  fill(target: Uint8Array): void;
}

export const systemRandom: RandomSource = {
  fill: (target) => {
    // The views that come here lie over plain buffers; the DOM types want that said.
    globalThis.crypto.getRandomValues(target as Uint8Array<ArrayBuffer>);
  },
};

/**
 * A reproducible source: xorshift128 (Marsaglia 2003) seeded through SplitMix32.
 * `seed` is any integer; equal seeds give equal streams.
 */
export class SeededRandom implements RandomSource {
  readonly #state = new Uint32Array(4);

  constructor(seed: number) {
    let x = seed >>> 0;
    for (let i = 0; i < 4; i++) {
      x = (x + 0x9e3779b9) >>> 0;
      let z = x;
      z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
      z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
      this.#state[i] = (z ^ (z >>> 15)) >>> 0;
    }
    // An all-zero state would stay zero for ever.
    this.#state[0] = (this.#state[0]! | 1) >>> 0;
  }

  /** The next integer in [0, 2^32). */
  nextUint32(): number {
    const state = this.#state;
    let t = state[3]!;
    const s = state[0]!;
    state[3] = state[2]!;
    state[2] = state[1]!;
    state[1] = s;
    t ^= t << 11;
    t ^= t >>> 8;
    state[0] = (t ^ s ^ (s >>> 19)) >>> 0;
    return state[0]!;
  }

  /** The next integer in [0, bound); `bound` is at least 1 and below 2^32. */
  below(bound: number): number {
    return Math.floor((this.nextUint32() / 2 ** 32) * bound);
  }

  /** True with the given probability in [0, 1]. */
  chance(probability: number): boolean {
    return this.nextUint32() / 2 ** 32 < probability;
  }

  fill(target: Uint8Array): void {
    for (let i = 0; i < target.length; i++) target[i] = this.nextUint32() >>> 24;
  }
}
