/** Frames as an attacker makes them: by the codecs, with whatever the messages say. */

import { present } from '../../src/base/assert.ts';
import type { ApiCodec } from '../../src/protocol/api-codec.ts';
import { apis } from '../../src/protocol/generated/index.ts';
import { decodeResponseHeader, encodeRequestHeader, isFlexible } from '../../src/protocol/headers.ts';
import { Reader } from '../../src/protocol/reader.ts';
import { Writer } from '../../src/protocol/writer.ts';
import { RawConnection, type DoorPorts } from '../fuzz/raw-connection.ts';

/** A request with its size prefix. */
export function requestFrame<Request, Response>(
  api: ApiCodec<Request, Response>,
  version: number,
  request: Request,
): Buffer {
  const codec = present(apis.get(api.apiKey), 'each key has its codec');
  const writer = new Writer(true, 64 * 1024);
  const start = { apiKey: api.apiKey, apiVersion: version, correlationId: 1, clientId: 'faults' };
  encodeRequestHeader(writer, start, isFlexible(codec, version));
  codec.encodeRequest(writer, request, version);
  return Buffer.concat(writer.finish());
}

/** Sends one request over a connection of its own; the response, or null where the broker ended the connection. */
export async function ask<Request, Response>(
  ports: DoorPorts,
  api: ApiCodec<Request, Response>,
  version: number,
  request: Request,
): Promise<Response | null> {
  const connection = await RawConnection.open('tcp', ports);
  try {
    connection.write(requestFrame(api, version, request));
    const frame = await connection.frame();
    if (frame === null) return null;
    const reader = new Reader(frame);
    decodeResponseHeader(reader, api as ApiCodec, version);
    return api.decodeResponse(reader, version);
  } finally {
    connection.destroy();
  }
}
