/**
 * Who asks over HTTP: nobody says so of a connection, so each request does, by its address and the argument `clientId`.
 * I/O thread.
 */

import type { HttpResponse } from 'uWebSockets.js';
import { ErrorCode } from '../../base/error-code.ts';
import { allowAll } from '../../broker/authorizer.ts';
import type { Broker } from '../../broker/broker.ts';
import { Caller, type ByteRate } from '../../gateway/caller.ts';
import { longestClientId } from '../client-id.ts';
import { addressText } from '../upgrade-request.ts';
import type { Arguments } from './arguments.ts';
import type { Parameter } from './operation.ts';
import { problemOf, type Problem } from './problem.ts';

/** What an HTTP client is called that does not say it. */
export const httpClientId = 'millrace-http';
/** So many are kept; most requests are of a few. */
const mostKept = 1000;

/** Whoever is further above its quota is sent away rather than answered later, in milliseconds. */
const longestHoldMs = 5000;

/** Of every operation on topics. */
export const clientParameter: Parameter = {
  name: 'clientId',
  in: 'query',
  description: `The client id, for quotas: those with one id share theirs. ${httpClientId}, unless given.`,
  schema: { type: 'string', minLength: 1, maxLength: longestClientId },
};

export class Callers {
  readonly #broker: Broker;
  readonly #known = new Map<string, Caller>();

  constructor(broker: Broker) {
    this.#broker = broker;
  }

  of(args: Arguments, response: HttpResponse): Caller {
    const clientId = args.text(clientParameter.name) ?? httpClientId;
    // Where everybody may do everything nobody looks at addresses.
    const { authorizer } = this.#broker;
    const host = authorizer === allowAll ? '' : addressText(new Uint8Array(response.getRemoteAddress()));
    const name = host === '' ? clientId : `${host} ${clientId}`;
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    if (this.#known.size >= mostKept) this.#known.clear();
    const caller = new Caller(this.#broker, clientId, host);
    this.#known.set(name, caller);
    return caller;
  }
}

/** Where the caller is so far above its quota that it is to come again later; else null. */
export function throttledProblem(caller: Caller, rate: ByteRate): Problem | null {
  const heldMs = caller.heldMs(rate);
  if (heldMs <= longestHoldMs) return null;
  const detail = `The client ${caller.clientId} is above its quota (${rate}); come again in ${Math.ceil(heldMs / 1000)} seconds.`;
  return { ...problemOf(ErrorCode.THROTTLING_QUOTA_EXCEEDED, detail), retryAfterMs: heldMs };
}
