/**
 * Enforces client quotas (KIP-13, KIP-124, KIP-546, KIP-599): what clients may produce and fetch a second, how much of
 * the thread's time they may take, and how many partitions they may create and delete. I/O thread.
 *
 *   request ─► charge(context) ─► handler ─► settle: rate above its limit? ─► throttle time in the answer, channel muted
 *
 * The strongest limit that fits counts: user and client before user before client, names before defaults. All
 * connections that it fits share one rate. Where no quota is set nobody is charged (`isActive`).
 */

import type { Clock } from '../../base/clock.ts';
import type { BrokerConfig } from '../broker-config.ts';
import type { RequestContext } from '../request-context.ts';
import type { EntityType, QuotaEntity } from './quota-entity.ts';
import type { QuotaImage } from './quota-image.ts';
import { RequestCharge } from './request-charge.ts';
import { TokenBucket } from './token-bucket.ts';
import { WindowedRate } from './windowed-rate.ts';

export type RateKey = 'producer_byte_rate' | 'consumer_byte_rate' | 'request_percentage';
export type QuotaKey = RateKey | 'controller_mutation_rate';

/** A limit that fits a client, and the name under which all that it fits share what they use. */
interface FittingLimit {
  readonly perSecond: number;
  readonly sharedAs: string;
}

/** The rate of all that one limit fits. */
class SharedRate extends WindowedRate {
  /** Until then whoever asks waits, by the monotonic clock. */
  heldUntilMs = 0;
}

/** A rate with its limit. */
export interface LimitedRate {
  readonly limitPerSecond: number;
  readonly rate: SharedRate;
}

/** From so many on, what is idle is forgotten: client ids are the clients' own choice. */
const manyRates = 4096;
const secondMs = 1000;

export class ClientQuotas {
  readonly windowMs: number;
  readonly windowCount: number;
  readonly clock: Clock;
  readonly #image: QuotaImage;
  readonly #mutationBurstSeconds: number;
  readonly #rates = new Map<string, SharedRate>();
  readonly #buckets = new Map<string, TokenBucket>();
  #sweepAt = manyRates;
  /** What fits clients that were looked up, as long as no quota changes. */
  readonly #known = new Map<string, Map<QuotaKey, FittingLimit | null>>();
  #knownChanges = -1;

  constructor(image: QuotaImage, config: BrokerConfig, clock: Clock) {
    this.#image = image;
    this.clock = clock;
    this.windowCount = config.number('quota.window.num');
    this.windowMs = config.number('quota.window.size.seconds') * secondMs;
    this.#mutationBurstSeconds =
      config.number('controller.quota.window.num') * config.number('controller.quota.window.size.seconds');
  }

  /** Whether there is any quota: where there is none requests are not looked at. */
  get isActive(): boolean {
    return !this.#image.isEmpty;
  }

  /** Rates that are kept at the moment. */
  get rateCount(): number {
    return this.#rates.size;
  }

  /** Begins the account of one request, whose frame has `requestBytes`. */
  charge(context: RequestContext, requestBytes: number): RequestCharge {
    return new RequestCharge(this, context, requestBytes);
  }

  /** The rate that counts for the client, or null where it has no limit. */
  rate(key: RateKey, context: RequestContext): LimitedRate | null {
    const fitting = this.#fitting(key, context);
    if (fitting === null) return null;
    const name = `${key} ${fitting.sharedAs}`;
    let rate = this.#rates.get(name);
    if (rate === undefined) {
      if (this.#rates.size >= this.#sweepAt) this.#sweep();
      this.#rates.set(name, (rate = new SharedRate(this.windowCount, this.windowMs)));
    }
    return { limitPerSecond: fitting.perSecond, rate };
  }

  /**
   * Counts `amount` of what the client uses. Returns how long it has to wait until what it used is within its limit, in
   * milliseconds; 0 where it is, or has none.
   */
  use(key: RateKey, amount: number, context: RequestContext): number {
    const limited = this.rate(key, context);
    return limited === null ? 0 : this.record(limited, amount);
  }

  /** As `use`, and has all that share the limit wait so long: those who ask `heldMs` before they go on. */
  hold(key: RateKey, amount: number, context: RequestContext): void {
    const limited = this.rate(key, context);
    if (limited === null) return;
    const { rate } = limited;
    const aboveMs = this.record(limited, amount);
    const holdMs = key === 'request_percentage' ? Math.min(aboveMs, this.windowMs) : aboveMs;
    rate.heldUntilMs = Math.max(rate.heldUntilMs, this.clock.monotonicMs() + holdMs);
  }

  /** How long those who share the client's limit have still to wait, in milliseconds. */
  heldMs(key: RateKey, context: RequestContext): number {
    const heldUntilMs = this.rate(key, context)?.rate.heldUntilMs ?? 0;
    return Math.max(heldUntilMs - this.clock.monotonicMs(), 0);
  }

  /** As `use`, of a rate that `rate` gave. */
  record({ rate, limitPerSecond }: LimitedRate, amount: number): number {
    const nowMs = this.clock.monotonicMs();
    rate.record(amount, nowMs);
    return rate.aboveMs(limitPerSecond, nowMs);
  }

  /**
   * Takes `count` partitions out of what the client may create and delete. Where that is used up, `strict` takes nothing
   * and the time comes back after which it may try again, in milliseconds; 0 is yes.
   */
  mutate(count: number, strict: boolean, context: RequestContext): number {
    const fitting = this.#fitting('controller_mutation_rate', context);
    if (fitting === null) return 0;
    const { perSecond, sharedAs } = fitting;
    let bucket = this.#buckets.get(sharedAs);
    if (bucket === undefined) {
      // What is forgotten here begins with a full burst; so few changes come that nobody gains by it.
      if (this.#buckets.size >= manyRates) this.#buckets.clear();
      this.#buckets.set(sharedAs, (bucket = new TokenBucket()));
    }
    const burst = perSecond * this.#mutationBurstSeconds;
    const before = bucket.tokens(perSecond, burst, this.clock.monotonicMs());
    if (strict && before < 0) return owedMs(before, perSecond);
    bucket.take(count);
    return strict ? 0 : owedMs(before - count, perSecond);
  }

  #fitting(key: QuotaKey, { connection, clientId }: RequestContext): FittingLimit | null {
    const user = connection.principal.name;
    const client = clientId ?? '';
    const known = this.#knownOf(`${user}\n${client}`);
    let fitting = known.get(key);
    if (fitting === undefined) known.set(key, (fitting = this.#find(key, user, client)));
    return fitting;
  }

  #knownOf(name: string): Map<QuotaKey, FittingLimit | null> {
    if (this.#knownChanges !== this.#image.changes || this.#known.size >= manyRates) {
      this.#known.clear();
      this.#knownChanges = this.#image.changes;
    }
    let known = this.#known.get(name);
    if (known === undefined) this.#known.set(name, (known = new Map()));
    return known;
  }

  #find(key: QuotaKey, user: string, client: string): FittingLimit | null {
    for (const [entity, types] of candidates(user, client)) {
      const perSecond = this.#image.of(entity).get(key);
      if (perSecond === undefined) continue;
      const parts = types.map((type) => (type === 'user' ? user : client));
      return { perSecond, sharedAs: JSON.stringify([types, parts]) };
    }
    return null;
  }

  #sweep(): void {
    const nowMs = this.clock.monotonicMs();
    for (const [name, rate] of this.#rates) if (rate.isIdle(nowMs)) this.#rates.delete(name);
    this.#sweepAt = Math.max(manyRates, 2 * this.#rates.size);
  }
}

function owedMs(tokens: number, perSecond: number): number {
  return tokens >= 0 ? 0 : Math.round((-tokens / perSecond) * secondMs);
}

/** The entities whose limits fit, the strongest first, each with what those share it by that it fits. */
function* candidates(user: string, client: string): Generator<[QuotaEntity, readonly EntityType[]]> {
  const both = (userName: string | null, clientName: string | null): QuotaEntity =>
    new Map<EntityType, string | null>([
      ['user', userName],
      ['client-id', clientName],
    ]);
  const one = (type: EntityType, name: string | null): QuotaEntity => new Map([[type, name]]);
  for (const userName of [user, null]) {
    yield [both(userName, client), ['user', 'client-id']];
    yield [both(userName, null), ['user', 'client-id']];
    yield [one('user', userName), ['user']];
  }
  yield [one('client-id', client), ['client-id']];
  yield [one('client-id', null), ['client-id']];
}
