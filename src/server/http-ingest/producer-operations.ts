/** Where a named producer goes on, over HTTP: the last number stored, and taking the name over from others. I/O thread. */

import { ErrorCode } from '../../base/error-code.ts';
import type { Gateway } from '../../gateway/gateway.ts';
import type { Exchange } from '../http-api/exchange.ts';
import type { OperationShape, Parameter } from '../http-api/operation.ts';
import type { Operation } from '../http-api/operations-part.ts';
import { problemOf } from '../http-api/problem.ts';
import { topicPath } from './ingest-shapes.ts';
import { largestPartition, producerNamePattern } from './record-arguments.ts';

const parameters: readonly Parameter[] = [
  topicPath,
  {
    name: 'producer',
    in: 'path',
    required: true,
    description: 'The name of the producer.',
    schema: { type: 'string', pattern: producerNamePattern },
  },
  {
    name: 'partition',
    in: 'query',
    description: 'The partition; the one that the name fixes, unless given.',
    schema: { type: 'integer', minimum: 0, maximum: largestPartition },
  },
];

const responses: OperationShape['responses'] = {
  200: {
    description: 'Where the producer goes on.',
    content: {
      'application/json': {
        type: 'object',
        properties: {
          topic: { type: 'string' },
          partition: { type: 'integer', minimum: 0 },
          producer: { type: 'string' },
          sequence: { type: ['integer', 'null'], minimum: 0 },
          epoch: { type: 'integer', minimum: 0 },
        },
        required: ['topic', 'partition', 'producer', 'sequence', 'epoch'],
        additionalProperties: false,
      },
    },
  },
};

export function producerOperations(gateway: Gateway): Operation[] {
  const serve = (exchange: Exchange, takeover: boolean): void => {
    exchange.wait({});
    void resume(gateway, exchange, takeover);
  };
  return [
    {
      method: 'get',
      path: '/topics/{topic}/producers/{producer}',
      id: 'resumeProducer',
      summary: 'The last number of a named producer that is stored, on disk; null where none is known',
      parameters,
      responses,
      problems: [404, 409],
      serve: (exchange) => serve(exchange, false),
    },
    {
      method: 'post',
      path: '/topics/{topic}/producers/{producer}/takeover',
      id: 'takeOverProducer',
      summary: 'Fences whoever uses the name so far, and tells the epoch that its new user sends',
      parameters,
      responses,
      problems: [404, 409],
      serve: (exchange) => serve(exchange, true),
    },
  ];
}

async function resume(gateway: Gateway, exchange: Exchange, takeover: boolean): Promise<void> {
  const { args } = exchange;
  const topic = args.text('topic')!;
  const producer = args.text('producer')!;
  const options = { partition: args.number('partition') ?? -1, takeover, caller: exchange.caller };
  const found = await gateway.resume(gateway.publisher.producers.get(producer, 0), topic, options);
  const { errorCode, message, partition, lastNumber, epoch } = found;
  if (errorCode !== ErrorCode.NONE) return exchange.fail(problemOf(errorCode, message ?? ''));
  exchange.answerJson(200, { topic, partition, producer, sequence: lastNumber < 0 ? null : lastNumber, epoch });
}
