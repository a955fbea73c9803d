/**
 * What groups were promised of their commits. Pure.
 * A commit that was answered is what the next fetch of the group's offset gives, through kills and power cuts, unless a
 * later commit took its place; one that was not answered may or may not have happened. A member of an older generation
 * commits no more once one of a newer generation did.
 */

type Outcome = 'answered' | 'refused' | 'unknown';

interface Attempt {
  readonly offset: number;
  readonly generation: number;
  readonly sentAt: number;
  /** Which life of the broker it was sent to. */
  readonly life: number;
  answeredAt: number;
  state: Outcome | 'under way';
}

export class CommitLedger {
  readonly #attempts = new Map<string, Attempt[]>();
  readonly #breakPromise: (message: string) => void;
  /** Counts attempts and outcomes, in the order in which they were seen. */
  #now = 0;
  #life = 0;

  constructor(breakPromise: (message: string) => void) {
    this.#breakPromise = breakPromise;
  }

  /** A member sends a commit of `key` (a group and a partition); the returned function takes its outcome. */
  attempt(key: string, offset: number, generation: number): (outcome: Outcome) => void {
    const attempt: Attempt = {
      offset,
      generation,
      sentAt: ++this.#now,
      life: this.#life,
      answeredAt: Number.POSITIVE_INFINITY,
      state: 'under way',
    };
    this.#of(key).push(attempt);
    return (outcome) => {
      attempt.state = outcome;
      if (outcome !== 'answered') return;
      attempt.answeredAt = ++this.#now;
      const newer = this.#of(key).find(
        (other) => other.generation > generation && other.state === 'answered' && other.answeredAt < attempt.sentAt,
      );
      if (newer === undefined) return;
      this.#breakPromise(
        `${key}: a commit of generation ${generation} was taken after one of generation ${newer.generation}`,
      );
    };
  }

  /** A group's member was given `offset` (-1: none is known) where `key` is to be resumed. */
  fetched(key: string, offset: number): void {
    const attempts = this.#of(key);
    const last = lastAnswered(attempts);
    const allowed = attempts.filter((attempt) => attempt === last || mayStand(attempt));
    if (allowed.some((attempt) => attempt.offset === offset) || (offset === -1 && last === undefined)) return;
    const told = allowed.map((attempt) => `${attempt.offset} (${attempt.state})`).join(', ');
    this.#breakPromise(`${key} resumes at ${offset} although what was committed is ${told === '' ? 'nothing' : told}`);
  }

  /** The process ended: nothing is under way to it any more, so what is older than the last answered is gone for good. */
  crashed(): void {
    for (const [key, attempts] of this.#attempts) {
      const last = lastAnswered(attempts);
      for (const attempt of attempts) if (attempt.state === 'under way') attempt.state = 'unknown';
      const left = attempts.filter((attempt) => {
        if (attempt === last) return true;
        // Bytes of a connection that was cut may have arrived after those of the next one.
        return mayStand(attempt) && (attempt.life === this.#life || attempt.sentAt > (last?.sentAt ?? 0));
      });
      this.#attempts.set(key, left);
    }
    this.#life++;
  }

  #of(key: string): Attempt[] {
    let attempts = this.#attempts.get(key);
    if (attempts === undefined) this.#attempts.set(key, (attempts = []));
    return attempts;
  }
}

function lastAnswered(attempts: readonly Attempt[]): Attempt | undefined {
  return attempts
    .filter((attempt) => attempt.state === 'answered')
    .toSorted((a, b) => a.answeredAt - b.answeredAt)
    .at(-1);
}

function mayStand(attempt: Attempt): boolean {
  return attempt.state === 'under way' || attempt.state === 'unknown';
}
