/** The part of the HTTP server that speaks JSON over WebSocket: `/ws`, subprotocol `millrace.v1`, and its document. I/O thread. */

import type { Logger } from '../../base/logger.ts';
import type { Gateway } from '../../gateway/gateway.ts';
import { clientIdHint, isClientId } from '../client-id.ts';
import { answerText, type RouteTable } from '../http-route.ts';
import { asyncApiDocument } from './async-api.ts';
import { JsonLink, type JsonServices } from './json-link.ts';
import { FrameFormats } from './record-frames.ts';

/** What a client is called that does not say it. */
const defaultClientId = 'millrace-ws';

export interface JsonWebSocketOptions {
  readonly gateway: Gateway;
  readonly logger: Logger;
  /** A longer message ends its connection, in bytes. */
  readonly largestMessageBytes: number;
  /** The release, for the document. */
  readonly version: string;
}

export class JsonWebSocket {
  readonly #options: JsonWebSocketOptions;
  readonly #services: JsonServices;

  constructor(options: JsonWebSocketOptions) {
    const { gateway, logger } = options;
    this.#options = options;
    const nowMs = (): number => gateway.broker.clock.nowMs();
    this.#services = { gateway, logger, formats: new FrameFormats(), nowMs };
  }

  register(table: RouteTable): void {
    table.webSocket<string>({
      pattern: '/ws',
      protocols: ['millrace.v1'],
      hint: 'Connect with a WebSocket, subprotocol millrace.v1; /asyncapi.json describes it.',
      largestMessageBytes: this.#options.largestMessageBytes,
      // Records are held back and answers bounded before a frame could be dropped.
      largestBacklogBytes: 0,
      // A member that is gone without a word gives its partitions up this soon.
      deadAfterS: 32,
      read: (request) => {
        const clientId = request.getQuery('clientId') ?? defaultClientId;
        if (isClientId(clientId)) return { asked: clientId };
        return { status: '400 Bad Request', reason: clientIdHint };
      },
      open: (socket, { asked, clientHost }) =>
        new JsonLink(socket, this.#services.gateway.caller(asked, clientHost), this.#services),
    });
    let document: string | null = null;
    table.http('get', '/asyncapi.json', (response) => {
      document ??= JSON.stringify(asyncApiDocument(this.#options.version), null, 2);
      answerText(response, '200 OK', document, 'application/json; charset=utf-8');
    });
  }
}
