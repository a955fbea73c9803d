/**
 * Puts operations on the HTTP server's table: looks at where a request comes from, reads its arguments, and hands it to
 * its operation. I/O thread. Beside each operation it serves HEAD for GET, OPTIONS (also as browsers ask before they send,
 * WHATWG Fetch), and says of other methods that they are not there.
 */

import type { HttpRequest, HttpResponse } from 'uWebSockets.js';
import type { Clock } from '../../base/clock.ts';
import { ErrorCode } from '../../base/error-code.ts';
import type { Logger } from '../../base/logger.ts';
import type { HttpPart, RouteTable } from '../http-route.ts';
import { ArgumentReader } from './arguments.ts';
import type { Callers } from './callers.ts';
import { Exchange } from './exchange.ts';
import type { OperationShape } from './operation.ts';
import { problemOf, problemText, problemType, statusLine, type Problem } from './problem.ts';

export interface Operation extends OperationShape {
  /** `request` ends with the call; where it goes on, it calls `exchange.wait` before it returns. */
  readonly serve: (exchange: Exchange, request: HttpRequest) => void;
}

/** For how long a browser need not ask again what it may send, in seconds. */
const preflightSeconds = '600';

/** What all operations share. */
export interface OperationServices {
  readonly callers: Callers;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Registers `operations`. */
export function operationsPart(operations: readonly Operation[], services: OperationServices): HttpPart {
  return (server) => {
    const paths = new Map<string, Operation[]>();
    for (const operation of operations) {
      const others = paths.get(operation.path) ?? [];
      paths.set(operation.path, [...others, operation]);
      const serve = serverOf(operation, server, services);
      const pattern = patternOf(operation.path);
      server.http(operation.method, pattern, (response, request) => serve(response, request, false));
      if (operation.method === 'get')
        server.http('head', pattern, (response, request) => serve(response, request, true));
    }
    for (const [path, those] of paths) registerRest(server, patternOf(path), allowedMethods(those));
  };
}

function serverOf(
  operation: Operation,
  server: RouteTable,
  { callers, clock, logger }: OperationServices,
): (response: HttpResponse, request: HttpRequest, headOnly: boolean) => void {
  const reader = new ArgumentReader(operation);
  const parameterCount = operation.parameters.filter((parameter) => parameter.in === 'path').length;
  const takesBody = operation.method === 'post';
  return (response, request, headOnly) => {
    const origin = request.getHeader('origin');
    const isAllowed = server.isOriginAllowed(request, origin);
    const exchange = new Exchange({
      response,
      operation,
      server,
      clock,
      logger,
      headOnly,
      origin: isAllowed ? origin : '',
      bodyBytes: takesBody ? bodyBytesOf(request) : 0,
    });
    if (!isAllowed) return exchange.fail(foreignOrigin);
    if (server.stopping) return exchange.fail(stopping);
    exchange.leave = server.admit(response);
    if (exchange.leave === null) return exchange.fail(tooManyOfAddress);
    const pathTexts: string[] = [];
    for (let i = 0; i < parameterCount; i++) pathTexts.push(request.getParameter(i));
    exchange.guard(() => {
      // There is none where the URL has no question mark, whatever its type says.
      const query = (request.getQuery() as string | undefined) ?? '';
      const args = reader.read(pathTexts, query, request);
      if ('status' in args) return exchange.fail(args);
      exchange.args = args;
      const caller = callers.of(args, response);
      exchange.caller = caller;
      if (caller.isCharged) caller.timed(() => operation.serve(exchange, request));
      else operation.serve(exchange, request);
    });
  };
}

const foreignOrigin: Problem = {
  status: 403,
  error: 'CLUSTER_AUTHORIZATION_FAILED',
  detail:
    'Pages of this origin, or by this host name, may not ask; the setting millrace.allowed.origins names those that may.',
};
const tooManyOfAddress = problemOf(
  ErrorCode.THROTTLING_QUOTA_EXCEEDED,
  'This address has as many connections and requests under way as it may (max.connections.per.ip).',
);
const stopping = problemOf(ErrorCode.BROKER_NOT_AVAILABLE, 'The broker stops.');

function bodyBytesOf(request: HttpRequest): number {
  const length = request.getHeader('content-length');
  if (length !== '') return Number(length);
  return request.getHeader('transfer-encoding') === '' ? 0 : Infinity;
}

function registerRest(server: RouteTable, pattern: string, allow: string): void {
  server.http('options', pattern, (response, request) => {
    const origin = request.getHeader('origin');
    response.writeStatus(statusLine(204)).writeHeader('allow', allow);
    if (origin !== '' && server.isOriginAllowed(request, origin)) {
      const headers = request.getHeader('access-control-request-headers');
      response.writeHeader('access-control-allow-origin', origin).writeHeader('vary', 'origin');
      response.writeHeader('access-control-allow-methods', allow);
      // Only what can be a list of header names goes back.
      if (/^[a-z0-9!#$%&'*+.^_`|~, -]{1,1000}$/i.test(headers))
        response.writeHeader('access-control-allow-headers', headers);
      response.writeHeader('access-control-max-age', preflightSeconds);
    }
    response.endWithoutBody();
  });
  server.http('any', pattern, (response, request) => {
    const method = request.getCaseSensitiveMethod();
    const detail = `${/^[A-Z]{1,20}$/.test(method) ? method : 'This method'} is not served here; these are: ${allow}.`;
    response.writeStatus(statusLine(405)).writeHeader('content-type', problemType).writeHeader('allow', allow);
    response.end(problemText(problemOf(ErrorCode.INVALID_REQUEST, detail, 405)));
  });
}

function allowedMethods(operations: readonly Operation[]): string {
  const methods = operations.flatMap(({ method }) => (method === 'get' ? ['GET', 'HEAD'] : ['POST']));
  return [...methods, 'OPTIONS'].join(', ');
}

/** `/topics/{topic}` as uWebSockets.js has it. */
function patternOf(path: string): string {
  return path.replaceAll(/\{([a-z_]+)\}/gi, ':$1');
}
