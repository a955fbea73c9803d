/**
 * How a request meets the authorizer: gates, which stand before a handler and behind it. Any thread.
 *
 *   whole     refuses the request, and the handler is not called
 *   each      has the handler serve what is allowed of the request, and adds refusals to what it answers
 *   seen      takes out of the answer what the principal may not see
 *   both      one gate before another
 *
 * Which request has which gates says access-table.ts.
 */

import { ErrorCode } from '../../base/error-code.ts';
import { Later } from '../../base/later.ts';
import type { Uuid } from '../../base/uuid.ts';
import { AclOperation, AclResource } from '../authorizer.ts';
import type { Outcome } from '../request-context.ts';

/** What the principal of one request may do. */
export interface Access {
  readonly apiVersion: number;
  allows(operation: AclOperation, resource: AclResource, name: string): boolean;
  allowsOnCluster(operation: AclOperation): boolean;
  /** Whether there is any resource of the kind on which it is allowed. */
  allowsOnAny(operation: AclOperation, resource: AclResource): boolean;
  /** The name of the topic, or null where none has the id. */
  topicName(topicId: Uuid): string | null;
}

/** Serves what is allowed of a request with `handle`, and refuses the rest. */
export type Gate<Request, Response> = (
  request: Request,
  access: Access,
  handle: (allowed: Request) => Outcome<Response>,
) => Outcome<Response>;

export const { READ, WRITE, DELETE, DESCRIBE } = AclOperation;
export const { GROUP, TOPIC, TRANSACTIONAL_ID } = AclResource;

/** The error that Kafka has for each kind of resource. */
export const refusals: Readonly<Record<AclResource, ErrorCode>> = {
  [AclResource.TOPIC]: ErrorCode.TOPIC_AUTHORIZATION_FAILED,
  [AclResource.GROUP]: ErrorCode.GROUP_AUTHORIZATION_FAILED,
  [AclResource.CLUSTER]: ErrorCode.CLUSTER_AUTHORIZATION_FAILED,
  [AclResource.TRANSACTIONAL_ID]: ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
};

/** One thing that a request needs as a whole; without a name it does not. */
export type Need<Request> = readonly [AclOperation, AclResource, nameOf: (request: Request) => string | null];

/** Refuses the request where it lacks one of its needs, with the error of the first. */
export function whole<Request, Response>(
  needs: readonly Need<Request>[],
  refused: (errorCode: ErrorCode, request: Request) => Response,
): Gate<Request, Response> {
  return (request, access, handle) => {
    for (const [operation, resource, nameOf] of needs) {
      const name = nameOf(request);
      if (name !== null && !access.allows(operation, resource, name)) return refused(refusals[resource], request);
    }
    return handle(request);
  };
}

interface Items<Request, Response, Item, Answer> {
  readonly of: (request: Request) => readonly Item[];
  /** Null where there is nothing to ask for: the handler says what is wrong. */
  readonly nameOf: (item: Item, access: Access) => string | null;
  readonly only: (request: Request, items: Item[]) => Request;
  readonly refused: (item: Item, errorCode: ErrorCode) => Answer;
  readonly add: (response: Response, answers: Answer[]) => Response;
}

/** Has those of the request's items served that are allowed, and refuses each of the others. */
export function each<Request, Response, Item, Answer>(
  operation: AclOperation,
  resource: AclResource,
  { of, nameOf, only, refused, add }: Items<Request, Response, Item, Answer>,
): Gate<Request, Response> {
  return (request, access, handle) => {
    const { allowed, forbidden } = parted(of(request), (item) => {
      const name = nameOf(item, access);
      return name === null || access.allows(operation, resource, name);
    });
    if (forbidden.length === 0) return handle(request);
    const answers = forbidden.map((item) => refused(item, refusals[resource]));
    return after(handle(only(request, allowed)), (response) => add(response, answers));
  };
}

/** Has `view` make of each response what the principal may see of it. */
export function seen<Request, Response>(
  view: (response: Response, access: Access) => Response,
): Gate<Request, Response> {
  return (request, access, handle) => after(handle(request), (response) => view(response, access));
}

/** What the first gate lets through goes through the second. */
export function both<Request, Response>(
  first: Gate<Request, Response>,
  second: Gate<Request, Response>,
): Gate<Request, Response> {
  return (request, access, handle) => first(request, access, (allowed) => second(allowed, access, handle));
}

/** `finish` of the response, now or later; null stays null. */
export function after<Response>(
  outcome: Outcome<Response>,
  finish: (response: Response) => Response,
): Outcome<Response> {
  if (outcome instanceof Promise || outcome instanceof Later)
    return outcome.then((response) => (response === null ? null : finish(response)));
  return outcome === null ? null : finish(outcome);
}

/** The items with and without leave, each in its order. */
export function parted<Item>(
  items: readonly Item[],
  isAllowed: (item: Item) => boolean,
): { allowed: Item[]; forbidden: Item[] } {
  const allowed: Item[] = [];
  const forbidden: Item[] = [];
  for (const item of items) (isAllowed(item) ? allowed : forbidden).push(item);
  return { allowed, forbidden };
}
